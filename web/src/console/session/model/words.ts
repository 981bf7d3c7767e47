import type { Word } from "@/console/session/model/shapes";

/** Seconds for which a word stays lit after its end, so that the light does not flicker in the gaps between words. */
const LINGER = 0.12;

/** The index of the word that sounds at `seconds`; -1 for none. `words` are in the order in which they sound; those that never
 * sounded are passed over. */
export function soundingAt(words: readonly Word[], seconds: number): number {
  let found = -1;
  for (let index = 0; index < words.length; index++) {
    const { start_s } = words[index] as Word;
    if (start_s === null) continue;
    if (start_s > seconds) break;
    found = index;
  }
  const word = words[found];
  return word !== undefined && seconds < (word.end_s ?? word.start_s ?? 0) + LINGER ? found : -1;
}
