import type { EventBuffer } from "@/console/session/model/buffer";
import { at } from "@/console/session/model/buffer";
import type { LogEvent } from "@/console/session/model/shapes";

/** Per event, the latest second that it or one before it tells of: this grows with `seq`, as `at_s` does not. */
export function tellingTimes(events: readonly LogEvent[]): Float64Array {
  const times = new Float64Array(events.length);
  let latest = 0;
  events.forEach((event, index) => {
    latest = Math.max(latest, event.at_s);
    times[index] = latest;
  });
  return times;
}

/** The index of the last event that had happened by `seconds`, with all before it; -1 where none had. */
export function indexAt(times: Float64Array, seconds: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] as number) <= seconds + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A moment somebody shares. */
export type Moment = { seconds: number } | { event: number } | { turn: number } | null;

/** `?t=12.34`, `?event=88` or `?turn=7`; null where none is given, or what is given is no number. */
export function readMoment(search: string): Moment {
  const asked = new URLSearchParams(search);
  const event = Number(asked.get("event") ?? Number.NaN);
  if (Number.isInteger(event) && event > 0) return { event };
  const turn = Number(asked.get("turn") ?? Number.NaN);
  if (Number.isInteger(turn) && turn > 0) return { turn };
  const given = asked.get("t");
  const seconds = given === null || given === "" ? Number.NaN : Number(given);
  return Number.isFinite(seconds) && seconds >= 0 ? { seconds } : null;
}

export function writeMoment(moment: Moment): string {
  if (moment === null) return "";
  if ("turn" in moment) return `?turn=${moment.turn}`;
  return "event" in moment ? `?event=${moment.event}` : `?t=${moment.seconds.toFixed(2)}`;
}

/** The second a moment means; undefined while its event is not known. */
export function secondsOf(moment: Moment, buffer: EventBuffer): number | undefined {
  if (moment === null) return undefined;
  if ("turn" in moment) return buffer.events.find(({ turn }) => turn === moment.turn)?.at_s;
  return "event" in moment ? at(buffer, moment.event)?.at_s : moment.seconds;
}
