import { expect, test } from "vitest";
import { clock, count, decoded, latency, moment, span } from "@/format";

test("a latency is told to the figure that matters, and never as 1000 ms", () => {
  expect([0, 840.4, 999.4, 999.6, 1_404, 9_994, 9_996, 61_000].map(latency)).toEqual([
    "0 ms",
    "840 ms",
    "999 ms",
    "1.00 s",
    "1.40 s",
    "9.99 s",
    "10.0 s",
    "61.0 s",
  ]);
  expect([latency(null), latency(undefined)]).toEqual(["–", "–"]);
});

test("a clock counts up, shows hours once there are some, and is never negative", () => {
  expect([-3, 7.9, 187, 3_723].map(clock)).toEqual(["0:00", "0:07", "3:07", "1:02:03"]);
});

test("a span has the unit in which it is read at a glance", () => {
  expect([0.42, 9.96, 89, 200, 7_200, 400_000].map(span)).toEqual(["0.4 s", "10 s", "89 s", "3 min", "2 h", "5 days"]);
});

test("a moment of today needs no day", () => {
  const now = new Date(2026, 10, 26, 12, 0, 0);
  const shown = (day: number) => moment(new Date(2026, 10, day, 9, 5, 7).toISOString(), now);
  expect(shown(25).length).toBeGreaterThan(shown(26).length);
});

test("one is not many", () => {
  expect([count(1, "turn"), count(1_204, "turn"), count(2, "entry", "entries")]).toEqual([
    "1 turn",
    "1,204 turns",
    "2 entries",
  ]);
});

test("a part of an address that is none is taken as it stands", () => {
  expect([decoded("a%2Fb"), decoded("%"), decoded("100%")]).toEqual(["a/b", "%", "100%"]);
});
