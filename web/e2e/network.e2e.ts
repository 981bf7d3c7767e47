import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, state } from "./call";
import { WITNESSED, witnessed, wordsOf } from "./ear";
import { by, GOOD, Line, SLOW_3G } from "./line";
import { speak } from "./microphone";

const { open } = inBrowser();
let line: Line;
beforeAll(async () => {
  line = await Line.to(Number(new URL(inject("stack").gateways[0] as string).port));
});
afterAll(() => line.close());

test("trial", async () => {
  const log: string[] = [];
  const page = await open("/", {
    ...WITNESSED,
    before: async (context) => {
      await WITNESSED.before(context);
      await by(line, context);
    },
  });
  const began = Date.now();
  const say = (what: string) => log.push(`${Date.now() - began} ${what}`);
  await begin(page);
  const quality = () => page.getByRole("img", { name: /^Connection/ }).getAttribute("aria-label");
  const watch = setInterval(async () => say((await quality().catch(() => "?")) ?? ""), 500);
  await page.getByRole("img", { name: "Connection: good" }).waitFor();
  line.become(SLOW_3G);
  say("slow 3g");
  await speak(page, "capital");
  await state(page, "speaking");
  say("speaking");
  await page.waitForTimeout(1000);
  await state(page, "listening");
  say("listening");
  const one = await witnessed(page);
  line.become({ bytesPerSecond: 15_000, delay: 150, jitter: 100 });
  say("2g");
  await speak(page, "first");
  await page.waitForTimeout(8000);
  say("good");
  line.become(GOOD);
  await page.waitForTimeout(5000);
  await speak(page, "capital");
  await page.waitForTimeout(8000);
  clearInterval(watch);
  const two = await witnessed(page);
  writeFileSync(
    "/tmp/far-network.json",
    JSON.stringify(
      {
        log,
        one: wordsOf(one, 1),
        last: two.words.filter((w) => w.turn > 1).length,
        three: wordsOf(two, 2),
        four: wordsOf(two, 3),
      },
      null,
      1,
    ),
  );
  expect(1).toBe(1);
});
