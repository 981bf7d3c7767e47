import type { TimedShape } from "@/call/model/events";

/** Shapes of the mouth as they are told (docs/websocket.md), `[shape, end]` one after the other from second `begin` on. What is
 * none is left out: they come from elsewhere. */
export function timedShapes(visemes: unknown, begin: number): TimedShape[] {
  if (!Array.isArray(visemes)) return [];
  const shapes: TimedShape[] = [];
  let start = begin;
  for (const one of visemes.slice(0, MOST)) {
    if (!Array.isArray(one) || typeof one[0] !== "string" || !Number.isFinite(one[1])) continue;
    const end = begin + (one[1] as number);
    if (end > start) shapes.push([one[0], start, end]);
    start = Math.max(start, end);
  }
  return shapes;
}

const MOST = 600;
