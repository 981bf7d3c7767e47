import { expect, test } from "vitest";
import { ending, explain, hasFailed } from "@/console/session/model/explain";
import { cutBy, cutOf, unvoiced } from "@/console/session/model/heard";
import type { Bar, Sentence, Turn } from "@/console/session/model/shapes";

function bar(part: string, ms: number, queued = 0): Bar {
  return { part, name: part.toUpperCase(), meaning: part, begins_s: 0, seconds: ms / 1e3, queued_s: queued / 1e3, ms };
}

function turn(number: number, bars: Bar[], more: Partial<Turn> = {}): Turn {
  return {
    turn: number,
    kind: "voice",
    began_s: 0,
    ended_s: 1,
    how: "played",
    reason: "finished",
    why: "silence",
    text: "",
    reply: "",
    heard: "",
    model: "",
    total_ms: bars.reduce((sum, one) => sum + one.ms, 0) || null,
    bars,
    utterances: [],
    letters: [],
    sentences: [],
    tools: [],
    found: [],
    notes: [],
    pending: [],
    ...more,
  };
}

test("A turn says how long it took, which part took longest, by how much, and how long that waited for a worker.", () => {
  const told = explain(turn(3, [bar("stt", 240), bar("llm", 820, 310), bar("tts", 340)]));
  expect(told?.headline).toBe("1.40 s from the caller’s last word to the agent’s first sound.");
  expect(told?.because).toEqual([
    "The LLM’s first sentence took the longest: 820 ms, 59 % of it, 480 ms more than the next (TTS).",
    "It waited 310 ms for a free worker, then worked for 510 ms.",
  ]);
});

test("Where there are turns to compare with, it says what is usual.", () => {
  const turns = [1, 2, 4].map((number) => turn(number, [bar("llm", 200 + number)]));
  const slow = turn(3, [bar("llm", 820), bar("tts", 100)]);
  expect(explain(slow, [...turns, slow])?.because.at(-1)).toBe("That is 618 ms more than usual in this call (202 ms).");
  expect(explain(turn(5, [bar("llm", 205)]), turns)?.because.at(-1)).toBe("That is usual in this call (202 ms).");
  const waiting = turn(6, [bar("llm", 820), bar("tts", 100, 90)]);
  expect(explain(waiting, turns)?.because.slice(1)).toEqual([
    "That is 618 ms more than usual in this call (202 ms).",
    "TTS waited 90 ms of its 100 ms for a free worker.",
  ]);
});

test("Another part that mostly waited is told, too.", () => {
  const told = explain(turn(1, [bar("llm", 500), bar("tts", 400, 350)]));
  expect(told?.because).toContain("TTS waited 350 ms of its 400 ms for a free worker.");
});

test("What went wrong until it was heard is told, apart from what went wrong before it was waited for.", () => {
  const at = (at_s: number, kind: Turn["notes"][number]["kind"]) => ({ at_s, kind, text: "" });
  const notes = [at(2, "expired"), at(10.2, "failed"), at(10.4, "retry"), at(12, "interruption"), at(13, "failed")];
  const told = explain(turn(1, [bar("llm", 1500)], { began_s: 10, notes }));
  expect(told?.because.slice(1)).toEqual([
    "In that time a job failed, or was tried again: it stands below.",
    "Before that, while the caller was not done, a job came too late: it stands below.",
  ]);
});

test("A turn of which nothing was heard has no time to explain, but says how it ended.", () => {
  const dropped = turn(1, [], { how: "dropped", reason: "backchannel" });
  expect(explain(dropped)).toBeNull();
  expect(ending(dropped)).toBe("No answer: only “mhm”");
  expect(ending(turn(1, [bar("llm", 1)]))).toBe("");
  const restarted = turn(1, [bar("llm", 1)], { how: "dropped", reason: "taken_back" });
  expect(ending(restarted)).toBe("Restarted: the caller went on, and was answered whole");
});

test("Who hangs up in mid-answer cuts a turn off, and makes no failure of it.", () => {
  const left = turn(1, [bar("llm", 1)], { how: "expired", reason: "session" });
  expect(hasFailed(left)).toBe(false);
  expect(ending(left)).toBe("Cut: the session ended");
  expect(ending(turn(1, [], { how: "dropped", reason: "session" }))).toBe("Cut: the session ended");
  expect(hasFailed(turn(1, [], { how: "expired", reason: "llm" }))).toBe(true);
  expect(hasFailed(turn(1, [], { how: "failed", reason: "stt" }))).toBe(true);
});

function sentence(index: number, words: [string, boolean][], cut: boolean): Sentence {
  return {
    index,
    text: words.map(([word]) => word).join(" "),
    start_s: 0,
    end_s: 1,
    heard: words
      .filter(([, heard]) => heard)
      .map(([word]) => word)
      .join(" "),
    words: words.map(([word, heard]) => ({ word, heard, start_s: heard ? 0 : null, end_s: heard ? 1 : null })),
    cut,
  };
}

test("An interrupted reply is split where it was cut: into what was heard, to the word, and what was not.", () => {
  const half = sentence(
    0,
    [
      ["Once", true],
      ["upon", true],
      ["a", false],
      ["time.", false],
    ],
    true,
  );
  const never: Sentence = { ...sentence(1, [], true), text: "He had a horse." };
  const cut = cutOf(turn(1, [bar("llm", 1)], { how: "interrupted", heard: "Once upon", sentences: [half, never] }));
  expect(cut).toEqual({ heard: "Once upon", unheard: "a time. He had a horse." });
  const whole = turn(1, [bar("llm", 1)], { heard: "Hello.", sentences: [sentence(0, [["Hello.", true]], false)] });
  expect(cutOf(whole)).toBeNull();
});

test("A reply that was cut after all that was made of it had sounded was cut all the same.", () => {
  const all = sentence(0, [["Once", true]], true);
  const cut = cutOf(turn(1, [bar("llm", 1)], { how: "interrupted", heard: "Once", sentences: [all] }));
  expect(cut).toEqual({ heard: "Once", unheard: "" });
});

test("What cut a reply is what the caller had begun to say, or had typed, by then; of another reason nobody says anything.", () => {
  const utterance = (text: string | null, start_s: number) => ({
    utterance: `u${start_s}`,
    participant: "ann",
    name: "Ann",
    start_s,
    end_s: start_s + 1,
    text,
    language: "en",
    words: [],
    over: true,
    lost: null,
  });
  const cut = turn(1, [bar("llm", 1)], { how: "interrupted", reason: "barge_in", ended_s: 5, heard: "Once" });
  const greeting = turn(2, [], { kind: "own" });
  const next = turn(3, [], { utterances: [utterance("Wait.", 4.5), utterance("And then?", 7)] });
  expect(cutBy(cut, [cut, greeting, next])).toBe("Wait.");
  const typed = turn(3, [], { letters: [{ participant: "ann", name: "Ann", at_s: 5, text: "Stop.", note: false }] });
  expect(cutBy(cut, [cut, typed])).toBe("Stop.");
  expect(cutBy(cut, [cut, turn(3, [], { utterances: [utterance(null, 4)] })])).toBe("");
  expect(cutBy(cut, [cut])).toBe("");
  expect(cutBy({ ...cut, reason: "say" }, [cut, next])).toBe("");
});

test("What no voice was made for is the sentence's end, or nothing where the voice says other words.", () => {
  const { words } = sentence(
    0,
    [
      ["But", false],
      ["they", false],
    ],
    true,
  );
  expect(unvoiced("But they also have the Louvre.", words)).toBe("also have the Louvre.");
  expect(unvoiced("But they", words)).toBe("");
  expect(unvoiced("He has $5.", words)).toBe("");
});
