import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { DESK, inBrowser, PHONE, TABLET } from "./browser";
import { begin, finishedCall } from "./call";
import { SHOTS } from "./paths";

const { open } = inBrowser();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let session = "";
beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  session = await finishedCall();
});

const VIEWS: { name: string; path: () => string; ready: (page: Page) => Promise<unknown> }[] = [
  {
    name: "start",
    path: () => "/",
    ready: (page) => page.getByRole("button", { name: "Talk", exact: true }).waitFor(),
  },
  { name: "call", path: () => "/", ready: begin },
  { name: "sessions", path: () => "/sessions", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  {
    name: "session",
    path: () => `/sessions/${session}`,
    ready: (page) => page.getByRole("heading", { name: "Turn 1" }).waitFor(),
  },
  { name: "latency", path: () => "/latency", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "queues", path: () => "/queues", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "agents", path: () => "/agents", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "access", path: () => "/access", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
];
const LOOKS = [
  { look: "light", size: DESK, theme: "light" },
  { look: "dark", size: DESK, theme: "dark" },
  { look: "tablet", size: TABLET, theme: "light" },
  { look: "phone", size: PHONE, theme: "light" },
  { look: "phone-dark", size: PHONE, theme: "dark" },
] as const;

describe.each(VIEWS)("$name", ({ name, path, ready }) => {
  test.each(LOOKS)(
    "$look: no serious fault of accessibility, nothing wider than the screen",
    async ({ look, size, theme }) => {
      const page = await open(path(), { size, theme });
      await ready(page);
      await page.waitForTimeout(400); // what comes in softly has come
      await page.screenshot({ path: join(SHOTS, `${name}-${look}.png`) });
      expect(await faults(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(
        0,
      );
    },
  );
});

/** What axe finds serious, a line each. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}
