import type { TimedWord } from "@/call/model/events";

/** A word that is stressed, and when. `strong`: with the hands, too. */
export interface Emphasis {
  at: number;
  strong: boolean;
}

/** Seconds from one to the next, at least. */
const APART = 1.2;
/** A word is drawn out that takes this much longer for each of its letters than the others of its part do. */
const DRAWN_OUT = 1.25;

/** Which words of a part are stressed: exclaimed, in capitals, numbers, and long ones that are drawn out. */
export function emphases(words: readonly TimedWord[]): Emphasis[] {
  const paces = words.map(([text, start, end]) => (end - start) / Math.max(1, letters(text))).sort((a, b) => a - b);
  const usual = paces[Math.floor(paces.length / 2)] ?? 0;
  const found: Emphasis[] = [];
  for (const [text, start, end] of words) {
    const strong = /!/.test(text) || /\p{Lu}{3,}/u.test(text);
    const count = letters(text);
    const drawnOut = count >= 6 && (end - start) / count > usual * DRAWN_OUT;
    if (!strong && !drawnOut && !/\d/.test(text)) continue;
    if (start - (found.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= APART) found.push({ at: start, strong });
  }
  return found;
}

function letters(text: string): number {
  return text.replace(/[^\p{L}\p{N}]/gu, "").length;
}
