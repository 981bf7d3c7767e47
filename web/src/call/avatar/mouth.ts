import type { TimedShape } from "@/call/model/events";

/** How far each shape of the mouth is taken, 0 to 1. */
export type Pose = Partial<Record<Shape, number>>;
export type Shape = keyof typeof STRENGTH;

/** Lips that meet are seen best; an open vowel taken to its end looks like a shout. */
const STRENGTH = {
  PP: 0.9,
  FF: 0.9,
  TH: 0.6,
  DD: 0.6,
  kk: 0.55,
  CH: 0.6,
  SS: 0.6,
  nn: 0.6,
  RR: 0.6,
  aa: 0.7,
  E: 0.65,
  I: 0.6,
  O: 0.75,
  U: 0.7,
} as const;

export const SHAPES = Object.keys(STRENGTH) as Shape[];

/** Seconds in which a shape comes and goes. Lips move a little before their sound is heard. */
const EARLY = 0.06;
const LATE = 0.05;
/** Seconds of the past that are kept: a part may be told again. */
const KEPT = 2;

/** When the mouth takes which shape, on the clock of the voice. Whoever asks at any time gets what belongs to the sound of that time:
 * late frames, gaps in the sound and jitter need no correction. */
export class Mouth {
  private readonly parts = new Map<string, TimedShape[]>();

  /** The shapes of one part of a sentence; told again, they take the place of those before. */
  tell(part: string, shapes: TimedShape[]): void {
    this.parts.set(part, shapes);
  }

  /** The agent fell silent at `at`: the rest will not sound. */
  hush(at: number): void {
    for (const [part, shapes] of this.parts) {
      const left = shapes
        .filter(([, start]) => start < at)
        .map(([shape, start, end]) => [shape, start, Math.min(end, at)]);
      if (left.length > 0) this.parts.set(part, left as unknown as TimedShape[]);
      else this.parts.delete(part);
    }
  }

  /** Nothing is known any more: another connection, another clock. */
  clear(): void {
    this.parts.clear();
  }

  pose(at: number): Pose {
    const pose: Pose = {};
    let sum = 0;
    for (const [part, shapes] of this.parts) {
      if ((shapes.at(-1)?.[2] ?? 0) < at - KEPT) this.parts.delete(part);
      for (const [shape, start, end] of shapes) {
        if (start - EARLY > at) break;
        if (end + LATE < at || !(shape in STRENGTH)) continue;
        const share = Math.min(1, (at - start + EARLY) / EARLY, (end + LATE - at) / LATE);
        const value = STRENGTH[shape as Shape] * smooth(Math.max(0, share));
        pose[shape as Shape] = Math.max(pose[shape as Shape] ?? 0, value);
        sum += value;
      }
    }
    if (sum > 1) for (const shape of Object.keys(pose) as Shape[]) pose[shape] = (pose[shape] ?? 0) / sum;
    return pose;
  }
}

/** How far a mouth is open where only the loudness (0 to 1) of its sound is known. */
export function poseOf(level: number): Pose {
  const open = Math.max(0, Math.min(1, (level - 0.35) * 1.8));
  return open === 0 ? {} : { aa: open * 0.6, O: open * 0.15 };
}

function smooth(share: number): number {
  return share * share * (3 - 2 * share);
}
