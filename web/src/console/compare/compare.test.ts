import { expect, test } from "vitest";
import type { Comparison, Pair } from "@/console/compare/data";
import { askedOf, figureOf, nameOf, settingOf, verdictOf, wordsOf } from "@/console/compare/model";
import { type One, TwoSounds } from "@/console/compare/two-sounds";

const side = (turn: number) => ({ turn, began_s: turn }) as Pair["first"];
const pair = (first: number | null, second: number | null) =>
  ({ first: first && side(first), second: second && side(second) }) as Pair;

test("The address says which two.", () => {
  expect(askedOf("?a=x%2F1&b=y")).toEqual({ first: "x/1", second: "y" });
  expect(askedOf("")).toEqual({ first: "", second: "" });
});

test("Each side has its own words, and those that the other has not are marked.", () => {
  const stretches = [
    { kind: "same", first: "I’d like", second: "I’d like" },
    { kind: "other", first: "too", second: "two" },
    { kind: "gone", first: "uh", second: "" },
    { kind: "new", first: "", second: "tickets" },
  ] as const;
  const told = (which: "first" | "second") =>
    wordsOf(stretches, which).map(({ text, differs }) => (differs ? `[${text}]` : text));
  expect(told("first")).toEqual(["I’d like", "[too]", "[uh]"]);
  expect(told("second")).toEqual(["I’d like", "[two]", "[tickets]"]);
});

test("A turn is called by its numbers; where they part is said in a sentence.", () => {
  expect([pair(3, 3), pair(3, 4), pair(3, null), pair(null, 2)].map(nameOf)).toEqual([
    "Turn 3",
    "Turn 3, in B 4",
    "Turn 3, in A only",
    "Turn 2, in B only",
  ]);
  const found = (divergence: number | null, wer = 0) =>
    verdictOf({ divergence, wer, turns: [pair(1, 1), pair(2, null)] } as Comparison);
  expect(found(null)).toBe("They are the same, but for how long things took.");
  expect(found(1)).toBe("They part at turn 2, in A only.");
  expect(found(0, 0.125)).toBe("They part at turn 1. 13 % of the callers’ words differ.");
});

test("Fewer is better, a few milliseconds are nothing, and how many turns there are is no matter of that.", () => {
  const mood = (name: "turns" | "interrupted" | "p50_ms", first: number | null, second: number | null) =>
    figureOf({ name, first, second }).mood;
  expect(mood("interrupted", 2, 1)).toBe("better");
  expect(mood("interrupted", 1, 2)).toBe("worse");
  expect(mood("p50_ms", 500, 520)).toBe("");
  expect(mood("p50_ms", 500, 900)).toBe("worse");
  expect(mood("p50_ms", null, 900)).toBe("");
  expect(mood("turns", 1, 2)).toBe("");
  expect(settingOf({ name: "x", first: null, second: "" })).toEqual({ name: "x", first: "not set", second: "empty" });
});

/** A browser's player, as far as two of them need one. */
function player(duration: number): One & { playing: boolean } {
  return {
    duration,
    readyState: 4,
    playbackRate: 1,
    currentTime: 0,
    seeking: false,
    ended: false,
    muted: false,
    playing: false,
    async play() {
      this.playing = true;
    },
    pause() {
      this.playing = false;
    },
  };
}

test("Two sounds play, stand and are sought together; the longer one tells the time.", async () => {
  const [short, long] = [player(10), player(20)];
  const both = new TwoSounds(short, long);
  await both.play();
  expect([short.playing, long.playing]).toEqual([true, true]);
  both.currentTime = 15;
  expect([short.currentTime, long.currentTime]).toEqual([10, 15]);
  expect(both.currentTime).toBe(15);
  expect(short.currentTime).toBe(10); // it is over, not behind
  both.currentTime = 5;
  long.currentTime = 5.5;
  expect(both.currentTime).toBe(5.5);
  expect(short.currentTime).toBe(5.5); // drawn after it
  both.pause();
  expect([short.playing, long.playing]).toEqual([false, false]);
});

test("One of them is heard, or both.", () => {
  const [first, second] = [player(1), player(1)];
  const both = new TwoSounds(first, second);
  const heard = () => [!first.muted, !second.muted];
  expect(heard()).toEqual([false, true]);
  both.hear("first");
  expect(heard()).toEqual([true, false]);
  both.hear("both");
  expect(heard()).toEqual([true, true]);
});
