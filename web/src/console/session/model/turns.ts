import type { Turn } from "@/console/session/model/shapes";

/** Where a turn begins to sound: its first word, or else where its answer is counted from. */
export function beginning(turn: Turn): number {
  const starts = [
    turn.began_s,
    ...turn.utterances.map((one) => one.start_s),
    ...turn.letters.map((one) => one.at_s),
    ...turn.sentences.map((one) => one.start_s ?? Number.POSITIVE_INFINITY),
  ].filter(Number.isFinite);
  return starts.length ? Math.min(...starts) : 0;
}

/** Where it is over: its last sound, word or part. */
export function end(turn: Turn): number {
  return Math.max(
    beginning(turn),
    turn.began_s + (turn.total_ms ?? 0) / 1000,
    ...turn.utterances.map((one) => one.end_s),
    ...turn.sentences.map((one) => one.end_s ?? 0),
  );
}

/** The index of the turn that is on at `seconds`: the last one that had begun; -1 before the first. */
export function turnAt(beginnings: readonly number[], seconds: number): number {
  let found = -1;
  beginnings.forEach((from, index) => {
    if (from <= seconds + 1e-6) found = index;
  });
  return found;
}

/** The index to go to from `seconds`: the next turn, or the beginning of this one, or of the one before where it has hardly begun. */
export function beside(beginnings: readonly number[], seconds: number, step: 1 | -1): number | undefined {
  const now = turnAt(beginnings, seconds);
  if (step === 1) return now + 1 < beginnings.length ? now + 1 : undefined;
  if (now < 0) return undefined;
  return seconds - (beginnings[now] as number) > 1 ? now : Math.max(0, now - 1);
}

/** What belongs to which turn. */
export function byTurn<Thing extends { turn: number | null }>(things: readonly Thing[]): Map<number | null, Thing[]> {
  const found = new Map<number | null, Thing[]>();
  for (const thing of things) {
    const known = found.get(thing.turn);
    if (known === undefined) found.set(thing.turn, [thing]);
    else known.push(thing);
  }
  return found;
}
