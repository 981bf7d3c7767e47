import { expect, test } from "vitest";
import { latency } from "@/format";
import { inBrowser } from "./browser";
import { command, finishedCall } from "./call";

const { open } = inBrowser();

interface Shown {
  waterfalls: { turn: number; total: number; parts: Record<string, number> }[];
}

test("The console shows the waterfall that `antiphon show` prints.", async () => {
  const session = await finishedCall();
  const { waterfalls } = await command<Shown>("show", session);
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

test("A finished call stands in the list, and opens.", async () => {
  const session = await finishedCall();
  const page = await open("/sessions");
  await page.locator(`a[href$="/sessions/${session}"]`).first().click();
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
});

/** "840 ms" or "1.40 s". */
function milliseconds(figure: string): number {
  return Number.parseFloat(figure) * (figure.endsWith(" ms") ? 1 : 1000);
}
