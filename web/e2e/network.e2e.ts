import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, begin, state } from "./call";
import { apart, WITNESSED, witnessed, wordsOf } from "./ear";
import { by, GOOD, Line, SLOW_3G } from "./line";
import { speak } from "./microphone";

const { open } = inBrowser();
let line: Line;
beforeAll(async () => {
  line = await Line.to(Number(new URL(inject("stack").gateways[0] as string).port));
});
afterAll(() => line.close());

test("On slow 3G with jitter the page says so, words stay with their sound, and with a good line all is well again.", async () => {
  const page = await open("/", {
    ...WITNESSED,
    before: async (context) => {
      await WITNESSED.before(context);
      await by(line, context);
    },
  });
  const quality = (how: RegExp) => page.getByRole("img", { name: how }).waitFor();
  await begin(page);
  line.become(SLOW_3G);
  await speak(page, "capital");
  await state(page, "speaking");
  await quality(/Connection: (fair|poor)/);
  await page
    .locator("[data-said]")
    .filter({ hasText: /\w( \S+){4}/ })
    .waitFor();
  line.become(GOOD);
  await state(page, "listening");
  // where the sound ran dry in a word's first 20 ms, its begin can't be found in what was heard
  const words = wordsOf(await witnessed(page), 1).filter(({ heard }) => heard !== null);
  expect(words.length).toBeGreaterThan(2);
  expect(apart(words)).toEqual([]);

  await ask(page, "Answer with the one word yes.");
  await state(page, "speaking");
  await quality(/Connection: good/);
});
