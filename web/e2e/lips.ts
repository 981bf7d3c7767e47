import type { Page } from "playwright-core";
import { leftAt, placeOf, type Witnessed, witnessed, witnessedBeside } from "./ear";

/** A frame of the avatar's. ms by the page's performance.now(). */
export interface Frame {
  ms: number;
  /** How long the machine took to draw it: its mouth is as old. ms. */
  drawing: number;
  /** How far its mouth was from rest. */
  open: number;
  /** How its face felt: by what the agent did. */
  mood: string;
  /** The second of the voice that its mouth is of, and when that was asked for, ms. */
  position: number;
  heard: number;
  /** Frames a second, so far. */
  frames: number;
}

/** For a page that is opened: what it lets sound is recorded, beside each frame of the avatar. It draws too seldom for one, with
 * or without a GPU: the processor is left to who speaks. */
export const LIPS_READ = witnessedBeside(noteFrames);

function noteFrames(): void {
  const FRAME = 150;
  const real = window.requestAnimationFrame.bind(window);
  const waiting = new Map<number, FrameRequestCallback>();
  let [number, last, due] = [0, 0, false];
  const draw = (now: number) => {
    [last, due] = [now, false];
    const all = [...waiting.values()];
    waiting.clear();
    for (const then of all) then(now);
  };
  window.cancelAnimationFrame = (id) => void waiting.delete(id);
  window.requestAnimationFrame = (then) => {
    waiting.set(++number, then);
    if (!due) setTimeout(() => real(draw), last + FRAME - performance.now());
    due = true;
    return number;
  };

  const drawn: Frame[] = [];
  document.addEventListener(
    "avatarframe",
    (event) => {
      const ms = performance.now();
      const begun = Number(document.timeline.currentTime ?? ms);
      drawn.push({ ...(event as CustomEvent).detail, ms, drawing: ms - begun });
    },
    true,
  );
  Object.assign(window, { drawn });
  // when the call was joined, and when the face was there
  document.addEventListener(
    "click",
    ({ target }) => {
      const button = (target as Element).closest("button");
      if (/^(Talk|Join)$/.test(button?.textContent?.trim() ?? "")) performance.mark("joined");
    },
    true,
  );
  new MutationObserver((_, observer) => {
    if (document.querySelector("[data-avatar=shown]") === null) return;
    performance.mark("face");
    observer.disconnect();
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-avatar"] });
}

/** ms from the press of the button that joins to the first time the avatar was in view. */
export function sinceJoined(page: Page): Promise<number> {
  return page.evaluate(() => Math.round(performance.measure("came", "joined", "face").duration));
}

/** The avatar's frames, from the `from`th on. */
export function framesOf(page: Page, from = 0): Promise<Frame[]> {
  return page.evaluate((begin) => (window as unknown as { drawn: Frame[] }).drawn.slice(begin), from);
}

/** How its face felt, one after the other. */
export function moodsOf(frames: Frame[]): string[] {
  return frames.map(({ mood }) => mood).filter((mood, at, all) => mood !== all[at - 1]);
}

/** Resolves once `count` frames from the `from`th on are that far from rest; open ones each of another moment of the voice. */
export async function framesUntil(page: Page, from: number, mouth: "open" | "at rest", count: number): Promise<void> {
  const there = page.waitForFunction(
    ([begin, wanted, enough]) => {
      const drawn = (window as unknown as { drawn: Frame[] }).drawn.slice(begin as number);
      if (wanted === "at rest") return drawn.filter(({ open }) => open < 0.05).length >= (enough as number);
      return new Set(drawn.filter(({ open }) => open > 0.3).map(({ position }) => position)).size >= (enough as number);
    },
    [from, mouth, count] as const,
  );
  await there.catch(async (error: unknown) => {
    const drawn = (await framesOf(page, from)).map(
      ({ ms, open, position }) => `${Math.round(ms)}: ${open.toFixed(2)} at ${position.toFixed(2)}`,
    );
    throw new Error(`${count} frames whose mouth is ${mouth} never came: ${drawn.join(", ")} (${error})`);
  });
}

/** The avatar's frames, from the `from`th on, and what was heard around each of them, the last as well. */
export async function lipsOf(page: Page, from: number): Promise<{ seen: Witnessed; frames: Frame[] }> {
  const frames = await framesOf(page, from);
  const heard = (ms: number) => (window as unknown as { heardUntil(): number }).heardUntil() >= ms;
  await page.waitForFunction(heard, (frames.at(-1)?.ms ?? 0) + TOGETHER + BESIDE);
  return { seen: await witnessed(page), frames };
}

const TOGETHER = 200;
/** A shape of the mouth comes that much before its sound, and stays that much after it (mouth.ts). ms. */
const BESIDE = 60;
/** Of int16: what is louder is heard as speech, and what is softer than that is no consonant either. */
const LOUD = 650;
const SILENT = 160;
/** Of the loudest around: what is softer is a gap between words, in which lips may rest. */
const GAP = 1 / 16;

/** Frames whose mouth is not that of the sound, by more than 200 ms: open where nothing sounds, or at rest where all is speech.
 * What the machine took to draw a frame is allowed for. */
export function astray(seen: Witnessed, frames: Frame[]): string[] {
  return frames.flatMap(({ ms, drawing, open, position, heard }) => {
    const within = (beside: number) => loudness(seen, ms - drawing - beside, ms + beside);
    const around = loudness(seen, heard - 1000, heard + 1000);
    if (within(TOGETHER).length === 0) return []; // nothing was recorded yet
    const told = () =>
      `at ${Math.round(ms)} ms, drawn in ${Math.round(drawing)}: ${open.toFixed(2)} at ${position.toFixed(2)} s, a second around it ${around.map((peak) => (peak < SILENT ? "." : Math.min(9, Math.floor(peak / LOUD)))).join("")}`;
    if (open > 0.3 && within(TOGETHER + BESIDE).every((peak) => peak < SILENT)) return [`open in silence ${told()}`];
    const speech = Math.max(LOUD, GAP * Math.max(...around));
    return open < 0.05 && within(TOGETHER).every((peak) => peak >= speech) ? [`at rest in speech ${told()}`] : [];
  });
}

/** How far the voice's clock, by which the lips go, was from what left the loudspeaker, in ms: ahead at most, and behind for half of the
 * frames (a machine that draws late, and lets the sound stumble, is late by as much). For each frame in speech, by where
 * the 20 ms before its second of the voice stand in what was heard. A page that draws knows the time no better than when it began to:
 * that much later is allowed for. Only where sound comes as PCM. */
export function leads(seen: Witnessed, frames: Frame[]): { ahead: number; behind: number; measured: number } {
  const piece = seen.rate / 50;
  let from = 0;
  let ahead = 0;
  const behind: number[] = [];
  for (const [number, { position, heard, drawing }] of frames.entries()) {
    const at = Math.round(position * seen.rate) - piece;
    const stands = position === frames[number - 1]?.position; // nothing sounds, or nothing more is known
    if (at < 0 || stands || peakOf(seen.sent.subarray(at, at + piece)) < LOUD) continue;
    const place = placeOf(seen, at, from);
    if (place < 0) continue; // it was cut off
    from = Math.max(0, place - seen.rate);
    const off = leftAt(seen, place + piece) - heard;
    ahead = Math.max(ahead, Math.round(off));
    behind.push(Math.max(0, Math.round(-off - drawing)));
  }
  const middle = behind.sort((one, other) => one - other)[Math.floor(behind.length / 2)] ?? 0;
  return { ahead, behind: middle, measured: behind.length };
}

/** Peaks of what left the loudspeaker between two moments, 20 ms each. */
function loudness(seen: Witnessed, from: number, to: number): number[] {
  const peaks: number[] = [];
  const step = Math.round(seen.rate / 50);
  const end = Math.min(seen.heard.length, soundedAt(seen, to));
  for (let at = Math.max(0, soundedAt(seen, from)); at + step <= end; at += step)
    peaks.push(peakOf(seen.heard.subarray(at, at + step)));
  return peaks;
}

/** The sample that left the loudspeaker then. On a busy machine the output stumbles, and hurries after it: it is known exactly where
 * it was looked at, and between two looks lies between. */
function soundedAt({ clock, rate }: Witnessed, ms: number): number {
  const after = clock.findIndex((one) => one.ms >= ms);
  const [one, other] = [clock[after - 1], clock.at(after)];
  if (other === undefined) throw new Error("the browser never told where its output is");
  if (one === undefined || after < 0) return Math.round(other.at + ((ms - other.ms) * rate) / 1000);
  return Math.round(one.at + ((ms - one.ms) / (other.ms - one.ms)) * (other.at - one.at));
}

function peakOf(samples: Int16Array): number {
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}
