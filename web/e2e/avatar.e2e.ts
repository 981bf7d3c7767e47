import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, state } from "./call";
import { speak } from "./microphone";

const { open } = inBrowser();

/** A frame of the avatar: how far its mouth was from rest, and the loudest of what the loudspeaker was given in the 200 ms before. */
interface Seen {
  open: number;
  sound: number;
  frames: number;
}

/** Runs in the page before the app's own code: taps what goes to the loudspeaker, and notes it beside each frame of the avatar. */
function watchMouth(): void {
  const seen: Seen[] = [];
  const taps: AnalyserNode[] = [];
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...to: unknown[]) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, ...to: unknown[]) {
    if (to[0] === this.context.destination && this instanceof AudioWorkletNode) {
      const tap = new AnalyserNode(this.context, { fftSize: 16_384 });
      connect.call(this, tap);
      taps.push(tap);
    }
    return connect.apply(this, to);
  } as typeof AudioNode.prototype.connect;
  const samples = new Float32Array(16_384);
  document.addEventListener(
    "avatarframe",
    (event) => {
      const { open, frames } = (event as CustomEvent<{ open: number; frames: number }>).detail;
      let sound = 0;
      for (const tap of taps) {
        tap.getFloatTimeDomainData(samples);
        for (const sample of samples.slice(-0.2 * tap.context.sampleRate)) sound = Math.max(sound, Math.abs(sample));
      }
      seen.push({ open, sound, frames });
    },
    true,
  );
  Object.assign(window, { seen });
}

/** Frames from the `from`th on, once one of them is as wanted. */
async function framesUntil(page: Page, from: number, wanted: "speaks" | "rests" | "is quick"): Promise<Seen[]> {
  await page.waitForFunction(
    ([begin, what]) =>
      (window as unknown as { seen: Seen[] }).seen.slice(begin as number).some(({ open, sound, frames }) => {
        if (what === "is quick") return frames >= 15;
        return what === "speaks" ? open > 0.3 && sound > 0.02 : open < 0.05;
      }),
    [from, wanted],
  );
  return frames(page, from);
}

function frames(page: Page, from = 0): Promise<Seen[]> {
  return page.evaluate((begin) => (window as unknown as { seen: Seen[] }).seen.slice(begin), from);
}

test("The avatar's mouth moves with the voice and rests when somebody cuts in; where it is slow it is off until it is asked for.", async () => {
  const page = await open("/", { avatar: true });
  await page.addInitScript(watchMouth);
  await page.reload();
  await begin(page);
  await page.locator("[data-avatar=shown]").waitFor();

  const anyway = page.getByRole("button", { name: "Show it anyway" });
  await Promise.any([anyway.waitFor(), framesUntil(page, 0, "is quick")]);
  if (await anyway.isVisible()) {
    expect(await page.locator("[data-avatar]").count()).toBe(0);
    await anyway.click();
    await page.locator("[data-avatar=shown]").waitFor();
  }
  const before = (await frames(page)).length;
  await speak(page, "story");
  await state(page, "speaking");
  await framesUntil(page, before, "speaks");
  await speak(page, "stop");
  await page.getByText(/cut off/).waitFor();
  const cut = (await frames(page)).length;
  await framesUntil(page, cut, "rests");

  await page.getByRole("button", { name: "Turn the avatar off" }).click();
  expect(await page.locator("[data-avatar]").count()).toBe(0);
});
