import { expect, test } from "vitest";
import { KEPT, present, type Queues, remember, type StageRow, verdictOf } from "@/console/queues/model";
import { roundUp, sparkPath } from "@/console/shared/spark-path";

const WORKER = { name: "w", jobs: 0, idle_s: 1, seen_s: 0.5 };

function stage(change: Partial<StageRow> = {}): StageRow {
  return { stage: "stt", queued: 0, running: 0, oldest_s: 0, done_per_s: 2, workers: [WORKER], ...change };
}

function look(queued: number): Queues {
  const dead_letters = { count: 0, mark: "none" };
  return { at: "2026-11-26T10:00:00.000Z", stages: [stage({ queued })], gateways: [], dead_letters };
}

test("a stage without workers is bad, and says what to start", () => {
  const verdict = verdictOf(stage({ workers: [] }));
  expect([verdict.mood, verdict.command]).toEqual(["bad", "antiphon worker stt"]);
  expect(verdictOf(stage({ stage: "tts", workers: [], queued: 1 })).words).toContain(
    "A job waits, and no text to speech worker",
  );
  expect(verdictOf(stage({ workers: [], queued: 3 })).words).toContain("3 jobs wait");
});

test("the tools' pool is a stage like the others", () => {
  expect(verdictOf(stage({ stage: "tools", workers: [], queued: 1 }))).toMatchObject({
    mood: "bad",
    words: "A job waits, and no tools worker is running. Start one:",
    command: "antiphon worker tools",
  });
});

test("a worker of which nothing was heard for long is none", () => {
  const silent = { ...WORKER, seen_s: 31 };
  expect([present([silent, WORKER]).length, verdictOf(stage({ workers: [silent] })).mood]).toEqual([1, "bad"]);
});

test("jobs that wait long are a warning, jobs that wait a moment are none", () => {
  expect(verdictOf(stage({ queued: 4, oldest_s: 2.4 }))).toMatchObject({ mood: "warn" });
  expect(verdictOf(stage({ queued: 4, oldest_s: 0.2 })).words).toBe("Keeping up");
  expect(verdictOf(stage()).words).toBe("Idle");
});

test("the last minutes are kept, and seconds nobody saw are gaps in them", () => {
  let history = remember({}, look(1), 7);
  expect(history.stt).toEqual([{ queued: 1, running: 0, done: 2 }]);
  history = remember(history, look(2), 2);
  expect(history.stt?.map((each) => each?.queued ?? null)).toEqual([1, null, null, 2]);
  for (let second = 0; second < KEPT; second++) history = remember(history, look(5));
  expect([history.stt?.length, history.stt?.[0]?.queued]).toEqual([KEPT, 5]);
  expect(remember(history, look(6), 1e9).stt?.length).toBe(KEPT);
});

test("a sparkline ends at the right edge, leaves gaps, and never leaves its box", () => {
  expect(sparkPath([0, 10, null, 5], 4, 90, 40, 10)).toBe("M0 40L30 0M90 20");
  expect(sparkPath([3], 300, 90, 40, 10)).toBe("M90 28");
  expect([sparkPath([], 4, 90, 40, 10), sparkPath([99], 1, 90, 40, 10), sparkPath([0], 1, 90, 40, 0)]).toEqual([
    "",
    "M90 0",
    "M90 40",
  ]);
});

test("a scale ends at a round figure", () => {
  expect([0, 0.3, 1, 1.2, 4, 7, 100, 420].map(roundUp)).toEqual([1, 0.5, 1, 2, 5, 10, 100, 500]);
});
