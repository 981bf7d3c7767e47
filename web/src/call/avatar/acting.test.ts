import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Acting } from "@/call/avatar/acting";
import type { Head } from "@/call/avatar/head";
import { moods } from "@/call/avatar/moods";
import type { AgentState } from "@/call/model/events";
import { running } from "@/call/running";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** A head in a call, the voice at second `at`, dry for `dry` seconds, as loud as `level`. */
async function acting() {
  const sound = { at: 0, dry: 0, level: 0 };
  const voice = {
    position: () => sound.at,
    dry: () => sound.dry,
    level: () => sound.level,
    onSound: () => () => {},
    track: () => null,
  };
  const { call, tell } = await running({ voice });
  const head = { setMood: vi.fn(), setMouth: vi.fn(), stress: vi.fn(), nod: vi.fn(), lookAtCaller: vi.fn() };
  const actor = new Acting(call, head as unknown as Head);
  const frame = (at = sound.at) => {
    sound.at = at;
    actor.frame();
  };
  const does = (state: AgentState) => tell({ type: "agent", state });
  const says = (...words: [string, number, number][]) =>
    tell({ type: "timings", turn: 1, index: 0, part: 0, words, shapes: words.map(([, from, to]) => ["aa", from, to]) });
  return { sound, head, actor, frame, does, says, tell, moods: () => head.setMood.mock.calls.map(([mood]) => mood) };
}

test("The head feels by what the agent does, and is told once of each change.", async () => {
  const { does, tell, moods } = await acting();
  for (const state of ["joining", "listening", "listening", "thinking", "speaking"] as const) does(state);
  expect(moods()).toEqual(["away", "listening", "thinking", "speaking"]);
  tell({ type: "link", link: { phase: "reconnecting", since: 0 } });
  expect(moods().at(-1)).toBe("away");
});

test("Who has asked for less motion sees breath and lids alone; the faces are the same.", () => {
  const neutral = {
    baseline: {},
    speech: 1,
    anims: [{ name: "breathing" }, { name: "pose" }, { name: "blink" }, { name: "head" }],
  };
  const named = (calm: boolean) => moods({ neutral }, calm).thinking?.anims.map(({ name }) => name);
  expect(named(true)).toEqual(["breathing", "blink"]);
  expect(named(false)).toEqual(["breathing", "pose", "blink", "head"]);
  expect(Object.keys(moods({ neutral }, true))).toEqual(["away", "listening", "thinking", "speaking"]);
  expect(moods({ neutral }, true).away?.baseline).toEqual(moods({ neutral }, false).away?.baseline);
  expect(() => moods({}, false)).toThrow("no neutral mood");
});

test("A stressed word is stressed as it is heard, not when it is told; the hands take part in what is exclaimed.", async () => {
  const { frame, says, head, does } = await acting();
  vi.advanceTimersByTime(60_000);
  does("speaking");
  says(["In", 1, 1.2], ["1969,", 1.2, 1.5], ["on", 2.5, 2.6], ["the", 2.6, 2.7], ["Moon!", 2.7, 3]);
  frame(1.1);
  expect(head.stress).not.toHaveBeenCalled();
  frame(1.21);
  expect(head.stress.mock.calls).toEqual([[true]]); // the hands have rested long
  vi.advanceTimersByTime(1_500);
  frame(2.71);
  expect(head.stress.mock.calls).toEqual([[true], [true]]);
  frame(2.8);
  expect(head.stress).toHaveBeenCalledTimes(2);
});

test("Between two movements of the hands a figure is stressed with the head alone.", async () => {
  const { frame, says, head } = await acting();
  vi.advanceTimersByTime(60_000);
  says(["Really!", 1, 1.2], ["40", 3, 3.2]);
  frame(1);
  vi.advanceTimersByTime(2_000);
  frame(3);
  expect(head.stress.mock.calls).toEqual([[true], [false]]);
});

test("A stress is left out where it was missed, where the agent was cut off, and where the line broke.", async () => {
  const { frame, says, head, tell } = await acting();
  says(["Now!", 1, 1.2]);
  frame(1.5); // the page was busy
  says(["Now!", 2, 2.2]);
  tell({ type: "hushed", at: 1.6 });
  frame(2);
  says(["Now!", 3, 3.2]);
  tell({ type: "link", link: { phase: "reconnecting", since: 0 } });
  frame(3);
  expect(head.stress).not.toHaveBeenCalled();
});

test("Lips go by the shapes told of the sound that is heard; in a gap of it they rest.", async () => {
  const { frame, says, head, does, sound } = await acting();
  does("speaking");
  says(["Aah", 1, 1.5]);
  frame(1.2);
  expect(head.setMouth).toHaveBeenLastCalledWith({ aa: 0.7 });
  sound.dry = 0.2;
  frame(1.25);
  expect(head.setMouth).toHaveBeenLastCalledWith({});
});

test("Where the agent speaks and nothing is told of its sound, lips go by how loud it is.", async () => {
  const { frame, head, does, sound } = await acting();
  does("speaking");
  sound.level = 0.9;
  frame(1);
  expect(head.setMouth.mock.lastCall?.[0].aa).toBeGreaterThan(0.3);
});

test("Who speaks is looked at, and nodded to now and then, until they are silent.", async () => {
  const { frame, head, tell } = await acting();
  tell({ type: "speech", participant: "ann", speaking: true });
  expect(head.lookAtCaller).toHaveBeenCalledOnce();
  frame();
  expect(head.nod).not.toHaveBeenCalled();
  vi.advanceTimersByTime(3_600);
  frame();
  frame();
  expect(head.nod).toHaveBeenCalledOnce();
  tell({ type: "speech", participant: "ann", speaking: false });
  vi.advanceTimersByTime(10_000);
  frame();
  expect(head.nod).toHaveBeenCalledOnce();
});

test("A head that is gone is told nothing more.", async () => {
  const { actor, does, moods } = await acting();
  actor.close();
  does("thinking");
  expect(moods()).toEqual(["away"]);
});
