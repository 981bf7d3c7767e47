import type { components } from "@/api/schema";

/** One session, as the list shows it (GET /v1/sessions). */
export type Row = components["schemas"]["SessionRow"];

const ENDS: Record<string, string> = {
  hang_up: "hung up",
  client_gone: "caller gone",
  end_requested: "ended on request",
  limit: "time limit",
  idle: "nobody there",
  machine: "answering machine",
  gateway_lost: "gateway lost",
  broken_off: "replay stopped",
  room_closed: "room closed",
  error: "error",
};

/** Why it ended, in words. */
export function endOf(row: Row): string {
  return row.ended ? (ENDS[row.ended] ?? row.ended) : "";
}

/** Made of another call by a replay, so that nobody waited for its answers: its id says so (schemas/bus.py). */
export function isFork(row: Row): boolean {
  return row.session.startsWith("fork-");
}

/** Ended, but not because anybody wanted it so. */
export function endedBadly(row: Row): boolean {
  return row.ended === "error" || row.ended === "gateway_lost";
}

/** Who calls: names of those who are or were there, without our own agents. */
export function callers(row: Row): string {
  const people = row.participants.filter(({ kind }) => kind !== "agent").map(({ identity, name }) => name || identity);
  return people.join(", ") || "Nobody yet";
}

/** Seconds it has lasted; `now`: ms since 1970 by the API's clock. */
export function lasted(row: Row, now: number): number {
  if (row.state === "closed") return row.duration_s;
  return Math.max(row.duration_s, (now - Date.parse(row.started_at)) / 1_000);
}
