import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, state } from "./call";
import { heardAt, placeOf, WITNESSED, witnessed } from "./ear";
import { speak } from "./microphone";

const { open } = inBrowser();

test("trial", async () => {
  const page = await open("/", WITNESSED);
  await begin(page);
  const words = page.getByRole("region", { name: "Transcript" });
  await speak(page, "capital");
  await state(page, "speaking");
  await state(page, "listening");
  await page.waitForTimeout(300);
  const one = await witnessed(page);
  await speak(page, "story");
  await state(page, "speaking");
  await page.waitForTimeout(1200);
  await speak(page, "stop");
  await words.getByText(/cut off/).waitFor();
  await page.waitForTimeout(300);
  const cutText = await words.locator("[data-said]").nth(1).textContent();
  const two = await witnessed(page);
  const out = { one: report(one), two: report(two), cutText };
  writeFileSync("/tmp/far-words.json", JSON.stringify(out, null, 1));
  console.log(JSON.stringify(out, null, 1));
  expect(1).toBe(1);
});

function report(w: Awaited<ReturnType<typeof witnessed>>) {
  const rows = w.words.map((word) => {
    const place = word.at < w.sent.length ? placeOf(w, word.at, 0) : -1;
    return { ...word, place, ms: place < 0 ? null : Math.round(heardAt(w, place)) };
  });
  return {
    holes: w.holes,
    heard: w.heard.length,
    sent: w.sent.length,
    clock: w.clock.length,
    ends: [w.clock[0], w.clock.at(-1)],
    rows: rows.map((r) => JSON.stringify(r)),
    said: w.said.map((r) => JSON.stringify(r)),
  };
}
