import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { DESK, inBrowser, PHONE, TABLET } from "./browser";
import { begin, finishedCall } from "./call";
import { SHOTS } from "./paths";

const { open } = inBrowser({ kept: true });
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let session = "";
let page: Page;
beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  session = await finishedCall();
  page = await open("/");
});

const VIEWS: { name: string; path: () => string; ready: (page: Page) => Promise<unknown> }[] = [
  {
    name: "start",
    path: () => "/",
    ready: (page) => page.getByRole("button", { name: "Talk", exact: true }).waitFor(),
  },
  { name: "call", path: () => "/", ready: talks },
  { name: "sessions", path: () => "/sessions", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  {
    name: "session",
    path: () => `/sessions/${session}`,
    ready: (page) => page.getByRole("heading", { name: "Turn 1" }).waitFor(),
  },
  {
    name: "compare",
    path: () => `/compare?a=${session}&b=${session}`,
    ready: (page) => page.getByRole("heading", { name: "Turn 1" }).waitFor(),
  },
  { name: "replays", path: () => "/replays", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "erasures", path: () => "/erasures", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  {
    name: "replay-many",
    path: () => "/replays/new",
    ready: (page) => page.getByText(/calls? pass(es)? the filter/).waitFor(),
  },
  {
    name: "fork",
    path: () => `/sessions/${session}`,
    ready: forking,
  },
  { name: "latency", path: () => "/latency", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "queues", path: () => "/queues", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "agents", path: () => "/agents", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
  { name: "access", path: () => "/access", ready: (page) => page.getByRole("heading", { level: 1 }).waitFor() },
];
/** Every width, and both themes. `axe`: what it looks at depends on the theme (contrast) and on the layout, so once for each. */
const LOOKS = [
  { look: "light", size: DESK, theme: "light", axe: true },
  { look: "tablet", size: TABLET, theme: "light", axe: false },
  { look: "phone-dark", size: PHONE, theme: "dark", axe: true },
  { look: "dark", size: DESK, theme: "dark", axe: false },
] as const;

test.each(VIEWS)("$name: no serious fault of accessibility, nothing wider than the screen", async (view) => {
  await page.goto(view.path());
  await view.ready(page);
  for (const { look, size, theme, axe } of LOOKS) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" }); // nothing is waited for that only moves
    await page.locator(`html[data-theme=${theme}]`).waitFor({ state: "attached" });
    await view.ready(page);
    await page.locator("main .animate-pulse").first().waitFor({ state: "detached" }); // what is loading has come
    await page.screenshot({ path: join(SHOTS, `${view.name}-${look}.png`) });
    expect(await tooWide(page), look).toBeLessThanOrEqual(0);
    if (axe) expect(await faults(page), look).toEqual([]);
  }
});

/** In a call: the first time it is begun. */
async function talks(page: Page): Promise<void> {
  if ((await page.locator("[data-agent-state]").count()) === 0) await begin(page);
}

/** The dialog of a fork, which stays open. */
async function forking(page: Page): Promise<void> {
  await page.getByRole("heading", { name: "Turn 1", exact: true }).waitFor();
  const dialog = page.getByRole("dialog");
  if ((await dialog.count()) === 0)
    await page
      .getByRole("button", { name: /^Fork from here: turn/ })
      .first()
      .click();
  await dialog.getByLabel("Instructions").waitFor();
}

/** CSS pixels by which the page is wider than the window. */
function tooWide(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

/** What axe finds serious, a line each. */
async function faults(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const found = await page.evaluate(() =>
    (window as unknown as { axe: { run(options: object): Promise<AxeResults> } }).axe.run({
      resultTypes: ["violations"],
    }),
  );
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}
