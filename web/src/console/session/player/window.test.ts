import { expect, test } from "vitest";
import { around, isWhole, pan, reveal, ticks, whole, zoom } from "@/console/session/player/window";

test("What one enlarges around stays where it is on the screen.", () => {
  const closer = zoom(whole(100), 0.5, 25, 100);
  expect(closer).toEqual({ from_s: 12.5, to_s: 62.5 });
  expect((25 - closer.from_s) / 50).toBe(0.25);
});

test("The view never leaves the call, is never wider than it, and never closer than a second.", () => {
  expect(isWhole(zoom(whole(100), 4, 50, 100), 100)).toBe(true);
  const close = zoom(whole(100), 1e-6, 99.9, 100);
  expect(close.to_s - close.from_s).toBeCloseTo(1);
  expect(close.to_s).toBeLessThanOrEqual(100);
  expect(pan({ from_s: 10, to_s: 20 }, -50, 100)).toEqual({ from_s: 0, to_s: 10 });
  expect(pan({ from_s: 10, to_s: 20 }, 500, 100)).toEqual({ from_s: 90, to_s: 100 });
});

test("A clock that leaves the view turns the page; one within it moves nothing.", () => {
  const view = { from_s: 10, to_s: 20 };
  expect(reveal(view, 15, 100)).toBe(view);
  expect(reveal(view, 21, 100)).toEqual({ from_s: 20, to_s: 30 });
  expect(reveal(view, 20.1, Number.POSITIVE_INFINITY).to_s).toBeCloseTo(29.1); // of a live call there is more to come
  expect(around(40, 42, 100)).toEqual({ from_s: 39.8, to_s: 42.2 });
});

test("The ruler's figures are at round seconds and never crowd.", () => {
  expect(ticks(whole(60), 720)).toEqual([0, 10, 20, 30, 40, 50, 60]);
  expect(ticks({ from_s: 1.05, to_s: 1.45 }, 400).map((one) => one.toFixed(1))).toEqual(["1.1", "1.2", "1.3", "1.4"]);
  for (const duration of [0.5, 7, 3600]) expect(ticks(whole(duration), 360).length).toBeLessThanOrEqual(6);
});
