import type { TimedShape, TimedWord } from "@/call/model/events";

/** What English spelling tells of a word's shapes: `times` and `durations` in units of its own. */
export interface Speller {
  preProcessText(text: string): string;
  wordsToVisemes(word: string): { visemes: string[]; times: number[]; durations: number[] };
}

/** Shapes of the mouth for words whose TTS tells their times only. For other languages than English a rough guess. */
export function shapesOf(words: readonly TimedWord[], speller: Speller): TimedShape[] {
  return words.flatMap(([text, start, end]) => {
    const { visemes, times, durations } = speller.wordsToVisemes(speller.preProcessText(text));
    const whole = (times.at(-1) ?? 0) + (durations.at(-1) ?? 0);
    if (whole <= 0 || end <= start) return [];
    const pace = (end - start) / whole;
    return visemes.map((shape, place): TimedShape => {
      const begin = start + (times[place] ?? 0) * pace;
      return [shape, begin, begin + (durations[place] ?? 0) * pace];
    });
  });
}
