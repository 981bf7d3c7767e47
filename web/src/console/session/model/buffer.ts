import type { LogEvent } from "@/console/session/model/shapes";

/**
 * What is known of a session's log: events in the order of `seq`, each once. Everything else that is shown is derived
 * from it. `epoch` changes when something that had been known is no longer true.
 */
export interface EventBuffer {
  readonly events: readonly LogEvent[];
  readonly epoch: number;
}

export const EMPTY: EventBuffer = { events: [], epoch: 0 };

export function lastSeq(buffer: EventBuffer): number {
  return buffer.events.at(-1)?.seq ?? 0;
}

/** The buffer with `more`, in whatever order and however often they come. An event that differs from the one known in its
 * place tells that the log had lost its tail: what was known from there on is forgotten. */
export function add(buffer: EventBuffer, more: readonly LogEvent[]): EventBuffer {
  const fresh = more.filter((event) => !same(at(buffer, event.seq), event));
  if (fresh.length === 0) return buffer;
  const sorted = inOrder(fresh);
  const first = sorted[0] as LogEvent;
  if (first.seq > lastSeq(buffer)) return { ...buffer, events: [...buffer.events, ...sorted] };
  const contradicted = sorted.find((event) => at(buffer, event.seq) !== undefined);
  const base = contradicted === undefined ? buffer : rewind(buffer, contradicted.seq - 1);
  return { ...base, events: inOrder([...base.events, ...sorted]) };
}

/** The log has lost what came after `after`. */
export function rewind(buffer: EventBuffer, after: number): EventBuffer {
  if (lastSeq(buffer) <= after) return buffer;
  return { events: buffer.events.slice(0, place(buffer.events, after + 1)), epoch: buffer.epoch + 1 };
}

/** The event in place `seq`, if it is known. */
export function at(buffer: EventBuffer, seq: number): LogEvent | undefined {
  const found = buffer.events[place(buffer.events, seq)];
  return found?.seq === seq ? found : undefined;
}

/** Where `seq` stands or would stand. */
export function place(events: readonly LogEvent[], seq: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle] as LogEvent).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function same(known: LogEvent | undefined, event: LogEvent): boolean {
  return known !== undefined && known.type === event.type && known.at === event.at;
}

function inOrder(events: readonly LogEvent[]): LogEvent[] {
  const sorted = [...events].sort((one, other) => one.seq - other.seq);
  return sorted.filter((event, index) => event.seq !== sorted[index + 1]?.seq);
}
