import type { Comparison, Figure, Pair, Setting, Stretch } from "@/console/compare/data";
import { latency } from "@/format";

export type Which = "first" | "second";

/** The calls that are asked for. */
export function askedOf(search: string): { first: string; second: string } {
  const asked = new URLSearchParams(search);
  return { first: asked.get("a") ?? "", second: asked.get("b") ?? "" };
}

/** Words of one side: those that the other has, too, and those that it has not. */
export function wordsOf(stretches: readonly Stretch[], which: Which): { text: string; differs: boolean }[] {
  return stretches
    .filter((one) => one[which] !== "")
    .map((one) => ({ text: one[which], differs: one.kind !== "same" }));
}

/** "turn 3", or where their numbers have drifted apart "turn 3, in B 4". */
export function nameOf({ first, second }: Pair): string {
  if (first === null) return `Turn ${second?.turn ?? 0}, in B only`;
  if (second === null) return `Turn ${first.turn}, in A only`;
  return first.turn === second.turn ? `Turn ${first.turn}` : `Turn ${first.turn}, in B ${second.turn}`;
}

/** What its element is called. */
export function idOf({ first, second }: Pair): string {
  return `pair-${first?.turn ?? `b${second?.turn}`}`;
}

/** When it began, in the first call that has it. */
export function beganAt(pair: Pair): number {
  return (pair.first ?? pair.second)?.began_s ?? 0;
}

const NAMES: Record<Figure["name"], string> = {
  turns: "Turns",
  interrupted: "Interrupted",
  dropped: "Dropped",
  failed: "Failed",
  p50_ms: "Median wait",
  worst_ms: "Worst wait",
};

export interface Compared {
  name: string;
  first: string;
  second: string;
  /** The second is better or worse than the first; "": neither, or it is no matter of that. */
  mood: "better" | "worse" | "";
}

/** A figure of both. Fewer is better in all but how many turns there are. */
export function figureOf({ name, first, second }: Figure): Compared {
  const shown = (value: number | null) => (name.endsWith("_ms") ? latency(value) : String(value ?? "–"));
  const judged = name !== "turns" && name !== "dropped" && first !== null && second !== null && first !== second;
  const less = name.endsWith("_ms") ? Math.abs((second ?? 0) - (first ?? 0)) >= 50 : true;
  return {
    name: NAMES[name],
    first: shown(first),
    second: shown(second),
    mood: judged && less ? ((second as number) < (first as number) ? "better" : "worse") : "",
  };
}

/** A setting's value, in a few words. */
export function settingOf({ name, first, second }: Setting): { name: string; first: string; second: string } {
  return { name, first: inWords(first), second: inWords(second) };
}

function inWords(value: unknown): string {
  if (value === null || value === undefined) return "not set";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text === "") return "empty";
  return text.length > 240 ? `${text.slice(0, 240)}…` : text;
}

/** In a sentence, whether and where they part. */
export function verdictOf({ divergence, turns, wer }: Comparison): string {
  const pair = divergence === null ? undefined : turns[divergence];
  if (pair === undefined) return "They are the same, but for how long things took.";
  const words = wer > 0 ? ` ${(wer * 100).toFixed(wer < 0.1 ? 1 : 0)} % of the callers’ words differ.` : "";
  return `They part at ${nameOf(pair).toLowerCase().replace(", in a ", ", in A ").replace(", in b ", ", in B ")}.${words}`;
}
