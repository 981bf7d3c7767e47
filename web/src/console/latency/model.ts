import type { components } from "@/api/schema";
import { roundUp } from "@/console/shared/spark-path";

export type Latency = components["schemas"]["Latency"];
export type Bucket = components["schemas"]["LatencyBucket"];

/** The parts of a turn, in the order in which they happen (schemas/session/waterfall.py). */
export const PARTS = {
  soft_end: { name: "Pause", meaning: "silence that may be the end" },
  stt: { name: "STT", meaning: "finding the words" },
  llm: { name: "LLM", meaning: "the first sentence" },
  tts: { name: "TTS", meaning: "its first sound" },
  commit_wait: { name: "Commit", meaning: "making sure that it was the end" },
  playout: { name: "Playout", meaning: "on its way out" },
} as const;
export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as Part[];

export function partName(part: string): string {
  return part in PARTS ? PARTS[part as Part].name : part;
}

/** As written in the address, with its length in seconds. */
export const SPANS = { "15m": 900, "1h": 3_600, "24h": 86_400 } as const;
export type Span = keyof typeof SPANS;

/** What is looked at. */
export interface View {
  span: Span;
  agent: string;
}

export function viewOf(search: string): View {
  const asked = new URLSearchParams(search);
  const span = asked.get("span");
  return { span: span !== null && Object.hasOwn(SPANS, span) ? (span as Span) : "1h", agent: asked.get("agent") ?? "" };
}

export function searchOf({ span, agent }: View): string {
  const made = new URLSearchParams();
  if (span !== "1h") made.set("span", span);
  if (agent) made.set("agent", agent);
  const text = made.toString();
  return text ? `?${text}` : "";
}

/** From when to when, ms since 1970. */
export interface Window {
  from: number;
  to: number;
}

/** Where a bucket stands in the window, 0 to 1: its middle. */
export function placeOf(bucket: Bucket, width_s: number, { from, to }: Window): number {
  const middle = Date.parse(bucket.from_at) + width_s * 500;
  return Math.min(Math.max((middle - from) / (to - from), 0), 1);
}

/** Buckets that follow each other, together: between the groups nothing was answered, and no line is drawn. */
export function groups(buckets: readonly Bucket[], width_s: number): Bucket[][] {
  const found: Bucket[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const bucket of buckets) {
    const begin = Date.parse(bucket.from_at);
    if (begin - end > width_s * 100 || found.length === 0) found.push([]);
    found.at(-1)?.push(bucket);
    end = begin + width_s * 1_000;
  }
  return found;
}

/** The index of the bucket nearest to `place` (0 to 1); -1 where there is none. */
export function nearest(places: readonly number[], place: number): number {
  let best = -1;
  places.forEach((one, index) => {
    if (best === -1 || Math.abs(one - place) < Math.abs((places[best] ?? 0) - place)) best = index;
  });
  return best;
}

/** The top of the scale (ms), and the lines across: no more than five. */
export function scale(most: number): { top: number; lines: number[] } {
  const step = roundUp(Math.max(most, 100) / 5);
  const top = Math.ceil(Math.max(most, 100) / step - 1e-9) * step;
  return { top, lines: Array.from({ length: Math.round(top / step) }, (_, index) => (index + 1) * step) };
}

const STEPS = [60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200];

/** Round moments in the window (ms since 1970), `most` at the most. `zone`: minutes by which the clock on the wall is behind UTC. */
export function ticks({ from, to }: Window, most: number, zone = new Date().getTimezoneOffset()): number[] {
  const step = 1_000 * (STEPS.find((one) => (to - from) / 1_000 / one <= most) ?? 86_400);
  const shift = zone * 60_000;
  const found: number[] = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) found.push(at);
  return found;
}
