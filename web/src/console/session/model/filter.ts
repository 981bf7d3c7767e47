import type { LogEvent } from "@/console/session/model/shapes";

export interface Filter {
  /** Types by their first word (`speech`, `transcript`, …); none: all. */
  kinds: ReadonlySet<string>;
  text: string;
}

export const ALL: Filter = { kinds: new Set(), text: "" };

/** What a type is of: `transcript.final` is of `transcript`. */
export function kindOf(type: string): string {
  return type.split(".", 1)[0] as string;
}

/** The kinds that occur, with how many events each; by name, so that they keep their places as more come. */
export function kindsOf(events: readonly LogEvent[]): [kind: string, count: number][] {
  const counts = new Map<string, number>();
  for (const event of events) counts.set(kindOf(event.type), (counts.get(kindOf(event.type)) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => one.localeCompare(other));
}

/** Events of the kinds asked for, in whose number, type, words or body every word of the text stands. */
export function matching(events: readonly LogEvent[], filter: Filter): readonly LogEvent[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && filter.kinds.size === 0) return events;
  return events.filter(
    (event) =>
      (filter.kinds.size === 0 || filter.kinds.has(kindOf(event.type))) &&
      words.every((word) => haystack(event).includes(word)),
  );
}

const haystacks = new WeakMap<LogEvent, string>();

function haystack(event: LogEvent): string {
  let known = haystacks.get(event);
  if (known === undefined) {
    const { who, text, detail } = event.line;
    known = `${event.seq} ${event.type} ${who} ${text} ${detail} ${JSON.stringify(event.body)}`.toLowerCase();
    haystacks.set(event, known);
  }
  return known;
}
