import { expect, test } from "vitest";
import { BLANK, draftOf, type Spec, wishOf } from "@/console/replay/draft";

const SPEC = {
  instructions: "Be brief.",
  llm: { model: "small", temperature: 0.7 },
  voice: { speed: 1 },
  turn_taking: {
    commit_min: 0.3,
    commit_max: 1.4,
    commit_silence: 0.7,
    waits: 1,
    regret: 0.6,
    soft_end: 0.2,
    interrupt_after: 1,
    resume_after: 1,
    barge_in: true,
  },
} as unknown as Spec;
const RECORDED = draftOf(SPEC);

function with_(part: Partial<typeof RECORDED>) {
  return wishOf(RECORDED, { ...RECORDED, ...part });
}

test("Of what stands in the form only what differs is wished for.", () => {
  expect(wishOf(RECORDED, RECORDED).told).toEqual([]);
  const { changes, told, works } = with_({
    bargeIn: "off",
    numbers: { ...RECORDED.numbers, "turn_taking.commit_max": "2.50" },
  });
  expect(changes).toEqual({ agent: "", settings: { "turn_taking.barge_in": false, "turn_taking.commit_max": 2.5 } });
  expect(told.map(({ name, before, after }) => `${name} ${before} ${after}`)).toEqual([
    "barge-in on off",
    "any end 1.4 2.50",
  ]);
  expect(works).toBe(false);
});

test("A number written otherwise is the same number; one out of bounds is a problem, and not sent.", () => {
  expect(with_({ numbers: { ...RECORDED.numbers, "turn_taking.commit_max": " 1.40 " } }).told).toEqual([]);
  for (const text of ["11", "-1", "x", "1,5", "Infinity"]) {
    const { changes, problems } = with_({ numbers: { ...RECORDED.numbers, "turn_taking.commit_max": text } });
    expect(problems["turn_taking.commit_max"]).toBe("0.1 to 10");
    expect(changes.settings).toEqual({});
  }
});

test("Other instructions, another model, agent or voice have the workers work; instructions are never taken away.", () => {
  expect(with_({ instructions: "Be kind." }).changes.instructions).toBe("Be kind.");
  expect(with_({ instructions: "  " }).told).toEqual([]);
  expect(with_({ model: "large " }).changes.model).toBe("large");
  expect(with_({ model: "" }).told).toEqual([]);
  for (const part of [
    { instructions: "Be kind." },
    { model: "large" },
    { agent: "clerk" },
    { numbers: { ...RECORDED.numbers, "voice.speed": "1.5" } },
  ])
    expect(with_(part).works).toBe(true);
});

test("Of many calls what is left empty stays as it is in each.", () => {
  expect(wishOf(BLANK, BLANK).told).toEqual([]);
  const { changes } = wishOf(BLANK, { ...BLANK, bargeIn: "on", numbers: { "turn_taking.soft_end": "0.2" } });
  expect(changes).toEqual({ agent: "", settings: { "turn_taking.barge_in": true, "turn_taking.soft_end": 0.2 } });
});
