import type { Quality } from "@/call/model/events";

/** Bytes of our sound that wait for the network: 32,000 are a second. */
const SLOW = 16_000;
const STUCK = 48_000;

/** How good the line is, by what waits to be sent and how often in the last ten seconds the agent's sound ran dry. */
export function qualityOf(waiting: number, gaps: number): Quality {
  if (waiting > STUCK || gaps >= 4) return "poor";
  return waiting > SLOW || gaps >= 1 ? "fair" : "good";
}
