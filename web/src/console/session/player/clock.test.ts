import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { toldSecond } from "@/console/session/model/clock-time";
import { Clock } from "@/console/session/player/clock";

beforeEach(() => void vi.useFakeTimers({ toFake: ["requestAnimationFrame", "cancelAnimationFrame", "performance"] }));
afterEach(() => void vi.useRealTimers());

function clock(duration: number): Clock {
  const made = new Clock();
  made.setDuration(duration);
  return made;
}

test("Without a recording the clock runs by itself, as fast as it was told, and stops at the end.", () => {
  const one = clock(10);
  one.setRate(2);
  void one.play();
  vi.advanceTimersByTime(2_000);
  expect(one.seconds).toBeGreaterThan(3.9);
  expect(one.seconds).toBeLessThan(4.1);
  vi.advanceTimersByTime(5_000);
  expect([one.seconds, one.playing]).toEqual([10, false]);
});

test("One can't be anywhere but in the call.", () => {
  const one = clock(10);
  one.seek(-3);
  expect(one.seconds).toBe(0);
  one.seek(99);
  expect(one.seconds).toBe(10);
});

test("A followed call is shown at its end, or at what is heard of it, until one goes elsewhere.", () => {
  const one = clock(10);
  one.follow();
  one.edge(11);
  expect([one.seconds, one.duration]).toEqual([11, 11]);
  one.ear = () => 10.5;
  one.edge(12);
  expect([one.seconds, one.duration]).toEqual([10.5, 12]);
  one.seek(3);
  one.edge(13);
  expect([one.seconds, one.following]).toEqual([3, false]);
});

test("Who followed a call until it ended stands at its end; who looked elsewhere stays there.", () => {
  const one = clock(10);
  one.follow();
  one.edge(13);
  one.ended(12.5);
  expect([one.seconds, one.duration, one.following]).toEqual([12.5, 12.5, false]);
  one.seek(3);
  one.ended(12.6);
  expect(one.seconds).toBe(3);
});

test("At the end, play begins anew.", () => {
  const one = clock(5);
  one.seek(5);
  void one.play();
  expect([one.seconds, one.playing]).toEqual([0, true]);
  one.pause();
});

test("while the clock runs, its hand is read aloud each ten seconds; where it stands, to the second", () => {
  expect([toldSecond(12.4, true), toldSecond(19.9, true), toldSecond(12.6, false)]).toEqual([10, 10, 13]);
});
