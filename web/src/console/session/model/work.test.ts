import { expect, test } from "vitest";
import { event, golden } from "@/console/session/model/golden";
import { type Work, workOf } from "@/console/session/model/work";

const brief = (work: Work) => `${work.stage} ${work.turn} ${work.outcome}`;

test("Work is derived from the events of a turn: when it was asked for, begun and done, by its own figures.", () => {
  const [stt, llm, first] = workOf(golden("plain"));
  expect([stt, llm, first].map((one) => one && brief(one))).toEqual(["stt 1 done", "llm 1 done", "tts 1 done"]);
  for (const work of [stt, llm, first]) {
    expect(work?.asked_s).toBeLessThanOrEqual(work?.began_s ?? 0);
    expect(work?.began_s).toBeLessThan(work?.ended_s ?? 0);
  }
});

test("A sentence that was never spoken, because the caller interrupted, is work nobody wanted any more.", () => {
  const works = workOf(golden("barge_in"));
  expect(works.map(brief)).toEqual([
    "stt 1 done",
    "llm 1 done",
    "tts 1 done",
    "tts 1 stale",
    "stt 2 done",
    "llm 2 done",
    "tts 2 done",
  ]);
  expect(works[3]?.because).toBe("the turn was over before it was done");
});

test("Of a log that goes on, what was asked for and hasn't come is pending.", () => {
  const log = golden("plain");
  const asked = log.findIndex(({ type }) => type === "utterance.captured");
  expect(workOf(log.slice(0, asked + 1)).map(brief)).toEqual(["stt 1 pending"]);
  const answered = log.findIndex(({ type }) => type === "reply.sentence");
  const works = workOf(log.slice(0, answered + 1)).map(brief);
  expect(works).toEqual(["stt 1 done", "llm 1 pending", "tts 1 pending"]);
});

test("An answer is owed from the commit on, and its work is one with the answer that comes.", () => {
  const log = [event(1, "turn.committed", 1, { why: "silence" })];
  expect(workOf(log).map(brief)).toEqual(["llm 1 pending"]);
  const body = { cause: { job: "llm/1.0", attempt: 1 }, index: 0, generation: 0, took: 0.2, queued: 0.1 };
  log.push(event(2, "reply.sentence", 1.4, body));
  const works = workOf(log);
  expect(works.map(brief)).toEqual(["llm 1 pending", "tts 1 pending"]);
  expect(works[0]?.asked_s).toBeCloseTo(1.1);
  expect(works[0]?.began_s).toBeCloseTo(1.2);
});

test("A greeting owes no answer of the LLM's.", () => {
  expect(workOf([event(1, "turn.committed", 1, { why: "greeting" })])).toEqual([]);
});

test("A job that is tried again says so, and one that fails or comes too late says why.", () => {
  const works = workOf([
    event(1, "utterance.captured", 1, { utterance: "u1" }),
    event(2, "stage.failed", 2, { stage: "stt", utterance: "u1", message: "no worker", will_retry: true }),
    event(3, "transcript.final", 3, { utterance: "u1", cause: { job: "stt/u1", attempt: 2 }, took: 0.5 }),
    event(4, "stage.failed", 4, { stage: "llm", message: "the endpoint answered 500", generation: 0 }),
    event(5, "stage.expired", 5, { stage: "tts", index: 0, generation: 0 }),
  ]);
  expect(works.map(brief)).toEqual(["stt 1 done", "llm 1 failed", "tts 1 expired"]);
  expect(works[0]?.retries).toEqual(["no worker", "another worker had it before: this is delivery 2"]);
  expect(works[1]?.because).toBe("the endpoint answered 500");
});

test("What was made before the caller spoke on is void when the generation is raised.", () => {
  const cause = { job: "llm/1.0", attempt: 1 };
  const works = workOf([
    event(1, "reply.sentence", 1, { cause, index: 0, generation: 0, took: 0.2 }),
    event(2, "utterance.captured", 2, { utterance: "u2", replaces: "u1", raises: 1 }),
  ]);
  expect(works.map(brief).sort()).toEqual(["llm 1 stale", "stt 1 pending", "tts 1 stale"]);
});

test("An answer that is asked for anew, as more was said before any of it came, is owed again.", () => {
  const first = event(1, "turn.committed", 1, { why: "silence", generation: 0 });
  const apart = [
    event(2, "message.received", 2, { raises: 1 }),
    event(3, "turn.committed", 2, { why: "silence", generation: 1 }),
  ];
  const atOnce = [event(2, "turn.committed", 2, { why: "silence", generation: 1, raises: 1 })];
  for (const then of [apart, atOnce])
    expect(workOf([first, ...then]).map(brief)).toEqual(["llm 1 stale", "llm 1 pending"]);
});

test("A hook is work of its own, beside the reply it belongs to.", () => {
  const cause = { job: "llm/1.0", attempt: 1 };
  const log = [
    event(1, "turn.committed", 1, { why: "silence" }),
    event(2, "hook.called", 1, { call: "on_user_turn/1.0", hook: "on_user_turn", took: 0.1, cause, generation: 0 }),
    event(3, "hook.called", 2, { call: "on_idle/2.1", hook: "on_idle", took: 0.1 }, null),
  ];
  expect(
    workOf(log)
      .filter(({ key }) => key.startsWith("hook/"))
      .map(brief),
  ).toEqual(["llm 1 done", "llm null done"]);
  expect(workOf(log).map(({ what }) => what)).toContain("the hook on_idle");
});
