import { expect, test } from "vitest";
import { Drawing } from "@/call/avatar/pace";

/** What is decided within `seconds` in which so many frames a second are drawn, from second `from` on. */
function drawn(drawing: Drawing, frames: number, seconds: number, from = 0, insisted = false): string[] {
  const verdicts = Array.from({ length: frames * seconds }, (_, number) =>
    drawing.frame((from + number / frames) * 1000, insisted),
  );
  return verdicts.filter((verdict) => verdict !== "go on");
}

test("A face that is somewhat too slow is drawn coarser, and given up where that was not enough.", () => {
  const drawing = new Drawing();
  expect(drawn(drawing, 30, 10)).toEqual([]);
  expect(drawn(drawing, 12, 8, 10)).toEqual(["coarser"]);
  expect(drawn(drawing, 30, 20, 18)).toEqual([]);
  expect(drawn(drawing, 12, 8, 38)[0]).toBe("give up");
  expect(Math.round(drawing.rate)).toBe(12);
});

test("One that is drawn at less than half of what is needed is given up at once: fewer pixels would not do.", () => {
  const drawing = new Drawing();
  expect(drawn(drawing, 6, 7)[0]).toBe("give up");
});

test("Who wants to see it all the same is asked nothing, until they no longer do.", () => {
  const drawing = new Drawing();
  expect(drawn(drawing, 6, 20, 0, true)).toEqual([]);
  expect(drawn(drawing, 6, 3, 20)[0]).toBe("give up");
});

test("A page out of sight draws nothing, which is not slow.", () => {
  const drawing = new Drawing();
  drawn(drawing, 30, 5);
  drawing.away();
  expect(drawn(drawing, 30, 5, 65)).toEqual([]);
});
