import { expect, test } from "vitest";
import { Onset } from "@/call/transport/livekit/onset";

const quiet = () => false;
const loud = () => true;

test("the clock waits for speech where it is to begin, and stays as much behind until the next begins", () => {
  const onset = new Onset();
  onset.expect(10);
  expect([9, 10, 10.5].map((now) => onset.heard(now, 0, quiet))).toEqual([9, 10, 10]);
  expect(onset.heard(10.6, 0, loud)).toBeCloseTo(10.1);
  onset.expect(20);
  expect(onset.heard(19, 0, quiet)).toBeCloseTo(18.5);
  expect(onset.heard(20.1, 0, loud)).toBeCloseTo(20.1);
});

test("who looks rarely, and finds that it sounds, takes it to be in time", () => {
  const onset = new Onset();
  onset.expect(10);
  expect(onset.heard(11, 0, loud)).toBe(11);
});

test("speech that does not come is waited for no longer than a while, and not at all when it was called off", () => {
  const onset = new Onset();
  onset.expect(10);
  expect([12.9, 13.1, 13.2].map((now) => onset.heard(now, 0, quiet))).toEqual([10, 13.1, 13.2]);
  onset.expect(20);
  onset.expect(null);
  expect(onset.heard(21, 0, quiet)).toBe(21);
});

test("what turns out to be the line's own delay is not allowed for twice", () => {
  const onset = new Onset();
  onset.expect(10);
  expect(onset.heard(10.4, 0, quiet)).toBe(10);
  expect(onset.heard(10.5, 0, loud)).toBeCloseTo(10.1);
  expect(onset.heard(11.0, 0.3, loud)).toBeCloseTo(10.6);
  expect(onset.heard(12.0, 0.1, loud)).toBeCloseTo(11.8);
});
