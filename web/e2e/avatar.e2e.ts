import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser, PHONE } from "./browser";
import { begin, hasLiveKit, roomPath, state } from "./call";
import { witnessed } from "./ear";
import { by, GOOD, Line, SLOW_3G } from "./line";
import { astray, framesOf, framesUntil, LIPS_READ } from "./lips";
import { speak } from "./microphone";

const { open } = inBrowser();
let line: Line;
beforeAll(async () => {
  line = await Line.to(Number(new URL(inject("stack").gateways[0] as string).port));
});
afterAll(() => line.close());

test("The lips go with the sound, by a line with jitter too, and rest when somebody cuts in; where it is slow the avatar is off until it is asked for.", async () => {
  const page = await open("/", {
    ...LIPS_READ,
    avatar: true,
    size: PHONE,
    before: async (context) => {
      await LIPS_READ.before(context);
      await by(line, context);
    },
  });
  await begin(page);
  await shown(page);
  await settled(page);

  line.become({ ...SLOW_3G, bytesPerSecond: GOOD.bytesPerSecond });
  const before = (await framesOf(page)).length;
  await speak(page, "story");
  await state(page, "speaking");
  await framesUntil(page, before, "open", 4);
  line.become(GOOD);
  await speak(page, "stop");
  await page.getByText(/cut off/).waitFor();
  const cut = (await framesOf(page)).length;
  await framesUntil(page, cut, "at rest", 1);
  const frames = await framesOf(page, before);
  expect(astray(await witnessed(page), frames)).toEqual([]);
  await page.getByRole("button", { name: "Turn the avatar off" }).click();
  expect(await page.locator("[data-avatar]").count()).toBe(0);
});

describe.skipIf(!hasLiveKit())("in a LiveKit room", () => {
  test("The lips go with the sound.", async () => {
    const page = await open(roomPath("lips", "Ann"), { ...LIPS_READ, avatar: true, size: PHONE });
    await begin(page);
    await shown(page);
    await settled(page);
    const before = (await framesOf(page)).length;
    await speak(page, "capital");
    await state(page, "speaking");
    await framesUntil(page, before, "open", 2);
    await state(page, "listening");
    const spoken = (await framesOf(page)).length;
    await framesUntil(page, spoken, "at rest", 1);
    expect(astray(await witnessed(page), await framesOf(page, before))).toEqual([]);
  });
});

function shown(page: Page): Promise<void> {
  return page.locator("[data-avatar=shown]").waitFor();
}

/** Until it is known to be quick enough; else it is off, and shown again as it is. */
async function settled(page: Page): Promise<void> {
  const anyway = page.getByRole("button", { name: "Show it anyway" });
  const quick = page.waitForFunction(() =>
    (window as unknown as { drawn: { frames: number }[] }).drawn.some(({ frames }) => frames >= 15),
  );
  await Promise.any([anyway.waitFor(), quick]);
  if (!(await anyway.isVisible())) return;
  expect(await page.locator("[data-avatar]").count()).toBe(0);
  await anyway.click();
  await shown(page);
}
