import { expect, test } from "vitest";
import { add, EMPTY } from "@/console/session/model/buffer";
import { event, golden } from "@/console/session/model/golden";
import { indexAt, readMoment, secondsOf, tellingTimes, writeMoment } from "@/console/session/model/moments";
import { beside, turnAt } from "@/console/session/model/turns";
import { voicesOf } from "@/console/session/model/voices";
import { soundingAt } from "@/console/session/model/words";

test("The state at a moment is that after the last event which, with all before it, had happened.", () => {
  // the second event was told later than the third happened
  const times = tellingTimes([event(1, "a", 0), event(2, "b", 2), event(3, "c", 1.5), event(4, "d", 3)]);
  expect([...times]).toEqual([0, 2, 2, 3]);
  expect([-1, 0, 1.9, 2, 2.9, 9].map((seconds) => indexAt(times, seconds))).toEqual([-1, 0, 0, 2, 2, 3]);
});

test("A link to a moment leads back to it, by second, by event or by turn.", () => {
  expect(readMoment(writeMoment({ seconds: 12.3456 }))).toEqual({ seconds: 12.35 });
  expect(readMoment(writeMoment({ event: 88 }))).toEqual({ event: 88 });
  expect(readMoment(writeMoment({ turn: 7 }))).toEqual({ turn: 7 });
  const buffer = add(EMPTY, golden("barge_in"));
  expect(secondsOf({ turn: 2 }, buffer)).toBe(buffer.events.find(({ turn }) => turn === 2)?.at_s);
  expect(secondsOf({ turn: 99 }, buffer)).toBeUndefined();
  expect(secondsOf({ event: 14 }, buffer)).toBeCloseTo(3.896);
  expect(secondsOf({ event: 88 }, buffer)).toBeUndefined();
});

test("An address that names no moment, or a nonsensical one, means none.", () => {
  for (const search of ["", "?t=", "?t=soon", "?t=-1", "?event=0", "?event=1.5", "?event=x", "?turn=-1", "?t=Infinity"])
    expect(readMoment(search), search).toBeNull();
});

test("A word is lit from its beginning until the next begins, or shortly after its end; what never sounded is never lit.", () => {
  const words = [
    { word: "a", start_s: 1, end_s: 1.3, heard: true },
    { word: "b", start_s: 1.35, end_s: 1.6, heard: true },
    { word: "c", start_s: null, end_s: null, heard: false },
    { word: "d", start_s: 3, end_s: 3.2, heard: true },
  ];
  const lit = [0.9, 1, 1.34, 1.35, 1.7, 2.5, 3.1].map((seconds) => soundingAt(words, seconds));
  expect(lit).toEqual([-1, 0, 0, 1, 1, -1, 3]);
});

test("Stepping back goes to the beginning of this turn, and from there to the one before.", () => {
  const beginnings = [1, 5, 9];
  expect(turnAt(beginnings, 0.5)).toBe(-1);
  expect(beside(beginnings, 7, -1)).toBe(1);
  expect(beside(beginnings, 5.2, -1)).toBe(0);
  expect(beside(beginnings, 0, 1)).toBe(0);
  expect(beside(beginnings, 9.5, 1)).toBeUndefined();
});

test("Who spoke when is read off the log: the agent ceases where it was interrupted.", () => {
  const voices = voicesOf(golden("barge_in"));
  const agent = voices.find(({ whose }) => whose === "agent");
  expect(agent?.from_s).toBeCloseTo(2.605);
  expect(agent?.to_s).toBeCloseTo(3.896);
  expect(voices.every(({ to_s }) => to_s !== null)).toBe(true);
});
