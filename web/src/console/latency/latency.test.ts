import { expect, test } from "vitest";
import { type Bucket, groups, nearest, placeOf, scale, searchOf, ticks, viewOf } from "@/console/latency/model";

const BEGIN = Date.parse("2026-11-26T10:00:00.000Z");

function bucket(second: number): Bucket {
  return { from_at: new Date(BEGIN + second * 1_000).toISOString(), count: 1, p50_ms: 800, p95_ms: 900, parts: {} };
}

test("what is looked at lives in the address; what makes no sense there is the last hour of all", () => {
  expect(viewOf(searchOf({ span: "24h", agent: "a&b" }))).toEqual({ span: "24h", agent: "a&b" });
  expect([searchOf({ span: "1h", agent: "" }), viewOf("?span=toString").span]).toEqual(["", "1h"]);
});

test("a line is broken where nothing was answered", () => {
  expect(groups([bucket(0), bucket(10), bucket(30), bucket(40)], 10).map((group) => group.length)).toEqual([2, 2]);
  expect(groups([], 10)).toEqual([]);
});

test("a bucket stands where its middle is, and never outside of the chart", () => {
  const window = { from: BEGIN, to: BEGIN + 100_000 };
  expect([0, 45, -60, 200].map((second) => placeOf(bucket(second), 10, window))).toEqual([0.05, 0.5, 0, 1]);
});

test("the bucket under the pointer is the nearest one", () => {
  expect([0, 0.4, 0.6, 1].map((place) => nearest([0.1, 0.5, 0.9], place))).toEqual([0, 1, 1, 2]);
  expect(nearest([], 0.5)).toBe(-1);
});

test("the scale ends above the slowest figure, with few and round lines", () => {
  for (const most of [0, 90, 101, 840, 1_404, 9_999, 61_000]) {
    const { top, lines } = scale(most);
    expect(top).toBeGreaterThanOrEqual(most);
    expect(lines.length).toBeLessThanOrEqual(5);
    expect(lines.at(-1)).toBe(top);
  }
  expect(scale(1_404).lines).toEqual([500, 1_000, 1_500]);
});

test("moments along the chart are round ones of the clock on the wall", () => {
  const hour = { from: BEGIN + 61_000, to: BEGIN + 3_661_000 };
  expect(ticks(hour, 6, 0).map((at) => new Date(at).getUTCMinutes())).toEqual([10, 20, 30, 40, 50, 0]);
  const day = { from: BEGIN, to: BEGIN + 86_400_000 };
  expect(ticks(day, 4, -330).every((at) => (at / 60_000 + 330) % 360 === 0)).toBe(true);
  expect(ticks(day, 4, 0).length).toBeLessThanOrEqual(5);
});
