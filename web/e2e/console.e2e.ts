import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { latency } from "@/format";
import { inBrowser } from "./browser";
import { command, commandLines, finishedCall } from "./call";

const { open } = inBrowser();
let session: string;
beforeAll(async () => {
  session = await finishedCall();
});

interface Shown {
  waterfall?: { turn: number; total: number; parts: Record<string, number> };
}

test("The console shows the waterfall that `antiphon show` prints.", async () => {
  const events = await commandLines<Shown>("show", session);
  const waterfalls = events.flatMap(({ waterfall }) => waterfall ?? []);
  expect(waterfalls.length).toBeGreaterThan(0);
  const page = await open(`/sessions/${encodeURIComponent(session)}`);
  for (const { turn, total, parts } of waterfalls) {
    const card = page.locator(`#turn-${turn}`);
    await card
      .getByText(latency(total * 1000), { exact: true })
      .first()
      .waitFor();
    const rows = card.getByRole("list", { name: `Where the time of turn ${turn} went` }).getByRole("button");
    const names = await rows.evaluateAll((all) => all.map((row) => row.textContent ?? ""));
    const shown = names.map((name) => milliseconds(name.replace(/^\D*?([\d.]+ m?s)\b.*$/, "$1")));
    const told = Object.values(parts).filter((seconds) => seconds > 0);
    expect(shown).toHaveLength(told.length);
    for (const [place, seconds] of told.entries()) {
      // parts are rounded so that they sum up to the whole
      expect(Math.abs((shown[place] ?? 0) - seconds * 1000)).toBeLessThanOrEqual(seconds < 0.99 ? 1.5 : 10);
    }
  }
});

test("A finished call stands in the list, and opens, there and at the address that `antiphon open` tells.", async () => {
  const page = await open("/sessions");
  await page.locator(`a[href$="/sessions/${session}"]`).first().click();
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  const there = page.url();
  const { url } = await command<{ url: string }>("open", session);
  expect(url).toBe(there);
});

test("A bar, a word and a drag along the clock move sound and state; a link to a moment opens there; events are filtered and saved.", async () => {
  const page = await open(`/sessions/${session}`);
  const seconds = () => page.locator("audio").evaluate((audio: HTMLAudioElement) => audio.currentTime);
  const hand = page.getByRole("slider", { name: "Where the call is looked at" });
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  await page.waitForFunction(() => (document.querySelector("audio")?.readyState ?? 0) > 0);
  const bars = page.getByRole("list", { name: /Where the time of turn 1/ }).getByRole("button");
  await bars.first().click();
  await expect.poll(seconds).toBeGreaterThan(0);
  const bar = await seconds();
  const word = page.locator("[data-word]").last();
  await word.click();
  await expect.poll(seconds).toBeGreaterThan(bar);
  expect(await word.getAttribute("data-lit")).toBe("true");

  const box = await hand.boundingBox();
  if (box === null) throw new Error("no timeline");
  await page.mouse.move(box.x + box.width - 3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width + 9, box.y + 40); // as far as it goes
  await page.getByText("The call is over").waitFor();
  await page.mouse.move(box.x + 3, box.y + 40);
  await page.getByText("The call is over").waitFor({ state: "detached" });
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.mouse.up();
  await page.getByRole("button", { name: "Link to this moment" }).click();
  await page.waitForURL(/\?t=/);
  const stands = async () => Number.parseFloat(((await hand.getAttribute("aria-valuetext")) ?? "").replace(/^0:/, ""));
  const shown = await stands();
  expect(shown).toBeGreaterThan(1);
  await page.goto(page.url());
  await expect.poll(stands).toBeCloseTo(shown, 0);

  await page.getByRole("tab", { name: /Events/ }).click();
  await page.getByRole("button", { name: /^turn \d/ }).click();
  const loading = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Download these/ }).click();
  const saved = JSON.parse(readFileSync(await (await loading).path(), "utf8")) as { type: string }[];
  expect(new Set(saved.map(({ type }) => type.split(".")[0]))).toEqual(new Set(["turn"]));
});

test("A page that is gone to while the API does not answer says so, and is there once it does.", async () => {
  const page = await open("/sessions", { expected: /Failed to fetch dynamically imported module/ });
  await page.locator(`a[href$="/sessions/${session}"]`).first().waitFor();
  await page.context().route("**", (route) => route.abort("connectionrefused"));
  await page.getByRole("link", { name: "Latency" }).click();
  const failed = page.getByRole("main").getByRole("alert");
  await failed
    .getByText(/can.t be/)
    .first()
    .waitFor();
  await page.context().unroute("**");
  await failed.getByRole("button", { name: "Try again" }).click();
  await page.getByText("95th percentile").waitFor();
});

/** "840 ms" or "1.40 s". */
function milliseconds(figure: string): number {
  return Number.parseFloat(figure) * (figure.endsWith(" ms") ? 1 : 1000);
}
