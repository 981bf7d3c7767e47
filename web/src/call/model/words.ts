import type { TimedWord } from "@/call/model/events";

/** A sentence of the agent. `parts`: timings of its clips; `at`: about where its sound begins. */
export interface Sentence {
  index: number;
  text: string;
  spoken: boolean;
  at: number;
  parts: Record<number, TimedWord[]>;
}

/** Characters a second at which a sentence without timings is taken to sound (gateway/rooms/livekit/captions.py). */
const PACE = 15;
const LOOK_AHEAD = 4;

export function tokensOf(text: string): string[] {
  return text.split(/\s+/).filter((token) => token !== "");
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** How many words of `sentence` have begun to sound at `position`. */
export function sounded(sentence: Sentence, position: number): number {
  const tokens = tokensOf(sentence.text);
  if (!sentence.spoken) return tokens.length;
  const parts = Object.keys(sentence.parts)
    .map(Number)
    .sort((one, other) => one - other);
  if (parts.length === 0) return byPace(tokens, position - sentence.at);
  let place = 0;
  let said = 0;
  for (const part of parts) {
    for (const [text, start] of sentence.parts[part] ?? []) {
      place = placeOf(tokens, text, place);
      if (start <= position) said = place + 1;
      place++;
    }
  }
  return Math.min(said, tokens.length);
}

/** The token a timed word belongs to: counted, unless it is found a little further on. */
function placeOf(tokens: string[], word: string, begin: number): number {
  const end = Math.min(begin + LOOK_AHEAD, tokens.length);
  for (let place = begin; place < end; place++) {
    if (bare(tokens[place] as string) === bare(word)) return place;
  }
  return begin;
}

function byPace(tokens: string[], seconds: number): number {
  let left = seconds * PACE;
  let said = 0;
  for (const token of tokens) {
    left -= token.length + 1;
    if (left < 0) break;
    said++;
  }
  return said;
}

/** `sentence` once the agent fell silent at `at`: words that had not begun will not sound as they were told, and those that had stay
 * said, though the clock may begin anew. */
export function hushed(sentence: Sentence, at: number): Sentence {
  const parts: Record<number, TimedWord[]> = {};
  for (const [part, words] of Object.entries(sentence.parts)) {
    parts[Number(part)] = words.map(([text, start]) => frozen(text, start < at));
  }
  const untimed = Object.keys(parts).length === 0;
  const said = untimed && sentence.spoken ? byPace(tokensOf(sentence.text), at - sentence.at) : 0;
  return untimed && sentence.spoken
    ? { ...sentence, parts: { 0: tokensOf(sentence.text).map((token, place) => frozen(token, place < said)) } }
    : { ...sentence, parts };
}

function frozen(word: string, said: boolean): TimedWord {
  const when = said ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return [word, when, when];
}
