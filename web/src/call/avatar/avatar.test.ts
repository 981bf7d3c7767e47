import { describe, expect, test } from "vitest";
import { read } from "@/call/avatar/choice";
import { emphases } from "@/call/avatar/emphasis";
import { Mouth, poseOf } from "@/call/avatar/mouth";
import { Pace } from "@/call/avatar/pace";
import { shapesOf } from "@/call/avatar/spelling";
import { timedShapes } from "@/call/model/shapes";

const TOLD = [
  ["PP", 0.1],
  ["aa", 0.4],
  ["sil", 0.6],
];

describe("the mouth", () => {
  test("takes the shape of the sound that is heard at that time, whatever was asked before", () => {
    const mouth = new Mouth();
    mouth.tell("1 0 0", timedShapes(TOLD, 10));
    expect(mouth.pose(10.25)).toEqual({ aa: 0.7 });
    expect(mouth.pose(10.02)).toEqual({ PP: 0.9 });
    expect(mouth.pose(10.55)).toEqual({});
    expect(mouth.pose(9.9)).toEqual({});
  });

  test("follows a part that is told again at another place after a pause", () => {
    const mouth = new Mouth();
    mouth.tell("1 0 0", timedShapes(TOLD, 10));
    mouth.tell("1 0 0", timedShapes(TOLD, 12));
    expect(mouth.pose(10.25)).toEqual({});
    expect(mouth.pose(12.25)).toEqual({ aa: 0.7 });
  });

  test("is at rest within 50 ms once the agent was cut off", () => {
    const mouth = new Mouth();
    mouth.tell("1 0 0", timedShapes(TOLD, 10));
    mouth.tell("1 1 0", timedShapes(TOLD, 10.6));
    mouth.hush(10.2);
    expect(mouth.pose(10.26)).toEqual({});
    expect(mouth.pose(10.3)).toEqual({});
    expect(mouth.pose(10.85)).toEqual({});
  });

  test("opens with the loudness where no shapes are told, and rests in silence", () => {
    expect(poseOf(0)).toEqual({});
    expect(poseOf(0.9).aa).toBeGreaterThan(poseOf(0.6).aa ?? 0);
  });
});

test("Shapes that are none are left out, and never go back in time.", () => {
  expect(timedShapes("aa", 0)).toEqual([]);
  expect(timedShapes([["aa"], [1, 2], ["E", 0.2], ["O", 0.1], ["U", 0.3]], 1)).toEqual([
    ["E", 1, 1.2],
    ["U", 1.2, 1.3],
  ]);
});

test("Where only words are timed, a word's shapes fill its time by their lengths.", () => {
  const speller = {
    preProcessText: (text: string) => text,
    wordsToVisemes: () => ({ visemes: ["PP", "I"], times: [0, 1], durations: [1, 3] }),
  };
  expect(shapesOf([["bee", 2, 2.4]], speller)).toEqual([
    ["PP", 2, 2.1],
    ["I", 2.1, 2.4],
  ]);
});

test("Exclaimed words are stressed with the hands, numbers with the head, the others not; and not too often.", () => {
  const words = [
    ["It", 0, 0.1],
    ["costs", 0.1, 0.4],
    ["40", 0.4, 0.8],
    ["now!", 0.8, 1.0],
    ["Really!", 2.0, 2.4],
  ] as const;
  expect(emphases(words)).toEqual([
    { at: 0.4, strong: false },
    { at: 2.0, strong: true },
  ]);
});

describe("the pace of frames", () => {
  const slowAfter = (gap: number, seconds: number) => {
    const pace = new Pace();
    for (let now = 0; now < seconds * 1000; now += gap) if (pace.frame(now)) return now;
    return null;
  };

  test("is too slow after two windows with fewer than 15 frames a second", () => {
    expect(slowAfter(100, 20)).toBeLessThan(7000);
    expect(slowAfter(1000 / 14, 20)).not.toBeNull();
    expect(slowAfter(1000 / 17, 20)).toBeNull();
  });

  test("is too slow, too, where a frame takes longer than a second", () => {
    expect(slowAfter(1500, 20)).toBeLessThan(9000);
  });

  test("does not count the time in which the page was out of sight", () => {
    const pace = new Pace();
    let now = 0;
    for (let round = 0; round < 5; round++, now += 30_000) {
      for (const end = now + 4000; now < end; now += 30) expect(pace.frame(now)).toBe(false);
      pace.away();
    }
  });
});

test("What was kept by another version, or by hand, is no danger; a file of this device is gone with its page.", () => {
  expect(read("{").shown).toBe(true);
  expect(read('{"shown":false,"look":7}')).toMatchObject({ shown: false, look: "ada" });
  expect(read('{"url":"blob:x"}').url).toBe("");
});
