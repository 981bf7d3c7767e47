import type { Sentence, Turn, Word } from "@/console/session/model/shapes";

/** Of a reply that was cut: what was heard of it, to the word, and what was not ("": nothing more had been made of it). */
export interface Cut {
  heard: string;
  unheard: string;
}

/** Null where it was not cut and all of the reply was heard, or there was none. */
export function cutOf(turn: Turn): Cut | null {
  const unheard = rest(turn) ?? turn.sentences.map(unheardOf).filter(Boolean).join(" ");
  const cut = unheard !== "" || (turn.how === "interrupted" && turn.heard !== "");
  return cut ? { heard: turn.heard, unheard } : null;
}

/** What the caller said or typed that cut this turn's reply, of the turns after it; "" where nothing of it is known. */
export function cutBy(turn: Turn, all: readonly Turn[]): string {
  const { ended_s } = turn;
  if (turn.how !== "interrupted" || turn.reason !== "barge_in" || ended_s === null) return "";
  const next = all.find((other) => other.turn > turn.turn && other.kind !== "own");
  if (next === undefined) return "";
  const said = next.utterances.filter(({ start_s }) => start_s <= ended_s).map(({ text }) => text);
  const typed = next.letters.filter(({ at_s }) => at_s <= ended_s).map(({ text }) => text);
  return [...said, ...typed].filter(Boolean).join(" ");
}

/** What comes after what was heard: a word that was cut in its middle stands on this side. null where the two don't fit together. */
function rest(turn: Turn): string | null {
  const all = turn.sentences.map(({ text }) => text).join(" ");
  const fits = turn.heard !== "" && turn.sentences.some(({ cut }) => cut) && all.startsWith(turn.heard);
  return fits ? all.slice(turn.heard.length).trim() : null;
}

/** What was not heard of a sentence: all of it where it has no words, for then it never sounded. */
export function unheardOf(sentence: Sentence): string {
  if (!sentence.cut) return "";
  if (sentence.words.length === 0) return sentence.heard === "" ? sentence.text : "";
  return sentence.words
    .filter((word) => !word.heard)
    .map((word) => word.word)
    .join(" ");
}

/** The end of a sentence for which no voice was made before it was cut. "" where the two don't fit together. */
export function unvoiced(text: string, words: readonly Word[]): string {
  const voiced = words.map((word) => word.word).join(" ");
  return text.startsWith(voiced) ? text.slice(voiced.length).trim() : "";
}
