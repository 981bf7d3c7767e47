import { readFileSync } from "node:fs";
import type { LogEvent } from "@/console/session/model/shapes";

/** For tests: one of the project's golden logs (tests/golden), as the API gives it. */
export function golden(name: string): LogEvent[] {
  const lines = readFileSync(`../tests/golden/${name}.jsonl`, "utf8").trim().split("\n");
  const events = lines.map((line) => JSON.parse(line));
  const began = events[0].at;
  return events.map(({ seq, at, type, turn = null, ...body }) => ({
    seq,
    type,
    turn,
    at: new Date(at / 1e3).toISOString(),
    at_s: (at - began) / 1e6 - (body.ago ?? 0),
    line: { who: body.by, text: type, detail: "", style: "system" },
    body,
  }));
}

/** For tests: an event of which only what is given matters. */
export function event(
  seq: number,
  type: string,
  at_s: number,
  body: LogEvent["body"] = {},
  turn: number | null = 1,
): LogEvent {
  const at = new Date(1e12 + at_s * 1e3).toISOString();
  return { seq, type, at_s, at, turn, line: { who: "", text: type, detail: "", style: "system" }, body };
}
