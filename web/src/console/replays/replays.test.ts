import { expect, test } from "vitest";
import { isOver, type Job, shareOf } from "@/console/replay/jobs";
import { marksOf, stepsPath, topOf } from "@/console/replays/steps";
import { aboutOf, outcomeOf } from "@/console/replays/words";

const job = (part: Partial<Job>) =>
  ({ kind: "fork", state: "running", done: 0, of: 0, doing: "", about: {}, error: "", served: true, ...part }) as Job;

test("How far a job is, and whether it is over.", () => {
  expect(shareOf(job({}))).toBeNull();
  expect(shareOf(job({ done: 1, of: 4 }))).toBe(0.25);
  expect(shareOf(job({ state: "done" }))).toBe(1);
  expect((["waiting", "running", "done", "failed", "stopped"] as const).map((state) => isOver(job({ state })))).toEqual(
    [false, false, true, true, true],
  );
});

test("What a job is about stands in a line; whom an erasure is about does not.", () => {
  const changed = { "turn_taking.commit_max": 3, instructions: "x" };
  expect(aboutOf(job({ about: { session: "s1", from_turn: 2, changed } }))).toBe(
    "s1 · from turn 2 · commit max, instructions",
  );
  expect(aboutOf(job({ kind: "batch", about: { most: 50, set: changed, agent_name: "clerk" } }))).toBe(
    "up to 50 calls · agent clerk, commit max, instructions",
  );
  expect(aboutOf(job({ kind: "erasure", about: { person: "Ann" } }))).not.toContain("Ann");
  expect(outcomeOf(job({ state: "waiting", served: false }))).toContain("no jobs worker");
  expect(outcomeOf(job({ done: 2, of: 9 }))).toBe("2 of 9");
});

test("The plot rises from nothing to all; one that took for ever does not press the rest to the edge.", () => {
  expect(stepsPath([], 1_000, 100, 50)).toBe("");
  expect(stepsPath([250, 500], 1_000, 100, 50)).toBe("M0 50H25V25H50V0H100");
  expect(topOf([400], [300])).toBe(750);
  const many = Array.from({ length: 200 }, (_, place) => place * 10);
  expect(topOf([...many, 60_000], many)).toBeLessThan(5_000);
  expect(marksOf(1_000)).toEqual([0, 250, 500, 750, 1_000]);
});
