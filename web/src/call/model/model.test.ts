import { describe, expect, test } from "vitest";
import type { CallEvent } from "@/call/model/events";
import { missing, type Signs } from "@/call/model/missing";
import { qualityOf } from "@/call/model/quality";
import { readingOf } from "@/call/model/reading";
import { begun, reduce } from "@/call/model/state";
import { type AgentLine, EMPTY, MOST_LINES, reduceTranscript, type Transcript } from "@/call/model/transcript";

type Step = [now: number, event: CallEvent];

const following = (...steps: Step[]): Transcript =>
  steps.reduce((transcript, [now, event]) => reduceTranscript(transcript, event, now), EMPTY);

const heard = (utterance: string, text: string, rest: Partial<CallEvent & { type: "heard" }> = {}): CallEvent => ({
  type: "heard",
  participant: "ann",
  turn: 1,
  utterance,
  text,
  final: true,
  ...rest,
});
const speech = (speaking: boolean, participant = "ann"): CallEvent => ({ type: "speech", participant, speaking });
const sentence = (index: number, text: string, at: number, turn = 1): CallEvent => ({
  type: "sentence",
  turn,
  index,
  text,
  spoken: true,
  at,
});
const timings = (index: number, part: number, ...words: [string, number, number][]): CallEvent => ({
  type: "timings",
  turn: 1,
  index,
  part,
  words,
});

const texts = (transcript: Transcript) =>
  transcript.lines.map((line) =>
    line.kind === "agent" ? readingOf(line, 1e9).said : line.kind === "person" ? line.text : line.name,
  );
const agentOf = (transcript: Transcript) => transcript.lines.find((line) => line.kind === "agent") as AgentLine;

describe("the transcript", () => {
  test("stands in the order in which people began to speak, however late their words come", () => {
    const transcript = following(
      [0, speech(true)],
      [900, speech(true, "bob")],
      [1000, sentence(0, "Good day.", 0)],
      [2000, heard("u2", "And I am Bob.", { participant: "bob", turn: 2 })],
      [2500, heard("u1", "Hello.")],
    );
    expect(texts(transcript)).toEqual(["Hello.", "And I am Bob.", "Good day."]);
  });

  test("words stand below the answer they came after, though a noise before it was no speech", () => {
    const transcript = following(
      [0, heard("u1", "Hello.")],
      [100, speech(true)],
      [200, speech(false)],
      [300, sentence(0, "Good day.", 0)],
      [2000, speech(true)],
      [2500, heard("u2", "Tea, please.", { turn: 2 })],
    );
    expect(texts(transcript)).toEqual(["Hello.", "Good day.", "Tea, please."]);
  });

  test("who is found to have said nothing, or whose words are withdrawn, begins to speak anew", () => {
    const nothing = following([0, speech(true)], [10, heard("u1", "")]);
    const withdrawn = following(
      [0, speech(true)],
      [5, heard("u1", "Hm", { final: false })],
      [10, heard("u1", "", { final: false })],
    );
    expect([nothing.speaking, withdrawn.speaking]).toEqual([{}, {}]);
    expect(reduceTranscript(nothing, heard("u2", ""), 20)).toBe(nothing);
  });

  test("an interim stands until its final words, which take its place", () => {
    const interim = following([0, heard("u1", "I wou", { final: false })]);
    expect(interim.lines).toMatchObject([{ text: "I wou", final: false }]);
    const final = reduceTranscript(interim, heard("u1", "I would like tea."), 500);
    expect(final.lines).toMatchObject([{ text: "I would like tea.", final: true, at: 0 }]);
  });

  test("another session's turns stand behind those of the one before, and take no place of theirs", () => {
    const said = (text: string): CallEvent => ({ type: "said", turn: 1, text });
    const session = (name: string): CallEvent => ({ type: "session", session: name, warnings: [] });
    const transcript = following(
      [0, session("a")],
      [1, said("Hello.")],
      [2, session("a")],
      [3, session("b")],
      [4, said("Hi.")],
    );
    expect(transcript.lines.map((line) => line.kind === "agent" && line.said)).toEqual(["Hello.", "Hi."]);
    expect(new Set(transcript.lines.map(({ id }) => id)).size).toBe(2);
  });

  test("an empty text withdraws what was and only that", () => {
    const transcript = following(
      [0, heard("u1", "Hm", { final: false })],
      [1, heard("u2", "Yes.")],
      [2, heard("u1", "", { final: false })],
    );
    expect(texts(transcript)).toEqual(["Yes."]);
  });

  test("more that is said in one go takes the place of what stood there", () => {
    const transcript = following(
      [0, heard("u1", "I want", { final: false })],
      [100, sentence(0, "Yes?", 0)],
      [200, heard("u1", "I want to", { final: false })],
      [300, heard("u1", "I want to go.")],
    );
    expect(texts(transcript)).toEqual(["I want to go.", "Yes?"]);
  });

  test("keeps the latest lines, however many a stranger types", () => {
    const typed = (id: number): Step => [id, { type: "typed", id: `${id}`, participant: "eve", text: "again" }];
    const { lines } = following(...Array.from({ length: MOST_LINES + 5 }, (_, id) => typed(id)));
    expect([lines.length, lines[0]?.id]).toEqual([MOST_LINES, "5"]);
  });

  test("a typed message and a file stand where they were sent", () => {
    const transcript = following(
      [0, { type: "typed", id: "t", participant: "ann", text: "Hi" }],
      [1, { type: "file", id: "f", participant: "ann", name: "map.png", size: 1, url: "blob:x" }],
      [2, sentence(0, "Hello.", 0)],
    );
    expect(texts(transcript)).toEqual(["Hi", "map.png", "Hello."]);
  });
});

describe("the agent's words", () => {
  test("are said one by one, as they sound", () => {
    const line = agentOf(
      following(
        [0, timings(0, 0, ["Good", 1, 1.2], ["day", 1.3, 1.6])],
        [0, sentence(0, "Good day.", 1)],
        [5, sentence(1, "How are you?", 2)],
        [5, timings(1, 0, ["How", 2, 2.1], ["are", 2.2, 2.3], ["you", 2.4, 2.6])],
      ),
    );
    const said = [0.5, 1.1, 1.35, 2.25, 9].map((position) => readingOf(line, position).said);
    expect(said).toEqual(["", "Good", "Good day.", "Good day. How are", "Good day. How are you?"]);
    expect(readingOf(line, 1.1).coming).toBe("day. How are you?");
  });

  test("a written number that is spoken as several words does not put the later words out of step", () => {
    const line = agentOf(
      following(
        [0, sentence(0, "It is 21 degrees now.", 0)],
        [0, timings(0, 0, ["It", 0, 0.1], ["is", 0.2, 0.3], ["degrees", 1, 1.2], ["now", 1.3, 1.5])],
      ),
    );
    expect(readingOf(line, 1.1).said).toBe("It is 21 degrees");
  });

  test("without timings go by the pace of speech, from where their sound begins", () => {
    const line = agentOf(following([0, sentence(0, "Good day to you.", 10)]));
    expect([9, 10.4, 12].map((position) => readingOf(line, position).said)).toEqual(["", "Good", "Good day to you."]);
  });

  test("do not go on while the agent is hushed, and go on where they are told again", () => {
    const hushed = following(
      [0, sentence(0, "One two three.", 0)],
      [0, timings(0, 0, ["One", 0, 0.3], ["two", 0.5, 0.8], ["three", 1, 1.3])],
      [1, { type: "hushed", at: 0.4 }],
    );
    expect(readingOf(agentOf(hushed), 5).said).toBe("One");
    const again = reduceTranscript(hushed, timings(0, 0, ["One", 4.6, 4.9], ["two", 5.1, 5.4], ["three", 5.6, 5.9]), 2);
    expect(readingOf(agentOf(again), 5.2).said).toBe("One two");
  });

  test("stay said when the clock begins anew with another connection, and go on by the new one", () => {
    const lost = following(
      [0, sentence(0, "One two three.", 7)],
      [0, timings(0, 0, ["One", 7, 7.3], ["two", 7.5, 7.8], ["three", 8, 8.3])],
      [1, { type: "hushed", at: 7.6 }],
    );
    expect(readingOf(agentOf(lost), 0).said).toBe("One two");
    const back = reduceTranscript(lost, timings(0, 0, ["One", -0.6, -0.3], ["two", -0.1, 0.2], ["three", 0.4, 0.7]), 2);
    expect([0.1, 0.5].map((position) => readingOf(agentOf(back), position).said)).toEqual([
      "One two",
      "One two three.",
    ]);
  });

  test("without timings stop at a hush, too", () => {
    const line = agentOf(following([0, sentence(0, "Good day to you.", 0)], [1, { type: "hushed", at: 0.4 }]));
    expect(readingOf(line, 60).said).toBe("Good");
  });

  test("are cut where speech was cut: what was not heard is not shown as said", () => {
    const line = agentOf(
      following(
        [0, sentence(0, "One two three four.", 0)],
        [1, { type: "turn", turn: 1, how: "interrupted", heard: "One two" }],
      ),
    );
    expect(readingOf(line, 60)).toEqual({ said: "One two", coming: "", cut: true, note: "" });
  });

  test("a sentence whose sound could not be made is shown whole", () => {
    const line = agentOf(following([0, { ...sentence(0, "Read this.", 0), spoken: false } as CallEvent]));
    expect(readingOf(line, 0).said).toBe("Read this.");
  });

  test("a reply that was taken back is shown no more, and what was said goes on in its line", () => {
    const person = { type: "heard", participant: "caller", utterance: "u1" } as const;
    const { lines } = following(
      [0, { ...person, turn: 1, text: "A table for", final: true }],
      [1, sentence(0, "For how many?", 1)],
      [2, { type: "turn", turn: 1, how: "taken_back", heard: "For" }],
      [3, { ...person, turn: 2, text: "A table for four.", final: false }],
    );
    expect(lines.map((line) => line.kind === "person" && line.text)).toEqual(["A table for four."]);
  });

  test("an answer that failed says so", () => {
    const line = agentOf(following([0, sentence(0, "A", 0)], [1, { type: "turn", turn: 1, how: "failed", heard: "" }]));
    expect(readingOf(line, 0).note).toBe("The agent could not answer this.");
  });
});

describe("the call's state", () => {
  test("an agent is not said to listen while the connection is broken", () => {
    const before = reduce(begun(0), { type: "agent", state: "listening" }, 1);
    const broken = reduce(before, { type: "link", link: { phase: "reconnecting", since: 2 } }, 2);
    expect([broken.agent, broken.quality]).toEqual(["absent", "poor"]);
  });

  test("trouble is shown until an answer sounds again", () => {
    const trouble = reduce(begun(0), { type: "trouble", code: "llm_timeout", message: "The LLM is silent." }, 1);
    expect(trouble.trouble).toBe("The LLM is silent.");
    expect(reduce(trouble, sentence(0, "Yes.", 0), 2).trouble).toBe("");
    const said = (text: string): CallEvent => ({ type: "said", turn: 1, text });
    expect(reduce(trouble, said("Yes."), 2).trouble).toBe("");
    const within = [
      said("Yes."),
      { type: "trouble", code: "tts_timeout", message: "No voice." } as const,
      said("Yes. I"),
    ];
    expect(within.reduce((state, event) => reduce(state, event, 1), begun(0)).trouble).toBe("No voice.");
  });

  test("the API is asked for figures when an answer begins to sound and when it ends, not at each sentence", () => {
    const steps = [
      sentence(0, "A.", 0),
      sentence(1, "B.", 1),
      { type: "turn", turn: 1, how: "played", heard: "A. B." },
    ];
    const turns = steps.reduce((state, event) => reduce(state, event as CallEvent, 1), begun(0)).turns;
    expect(turns).toBe(2);
  });
});

describe("what is missing", () => {
  const fine: Signs = {
    link: "connected",
    linkFor: 60_000,
    agent: "listening",
    agentFor: 60_000,
    met: false,
    microphone: "on",
    microphoneFor: 60_000,
    unheardFor: 0,
    blocked: false,
  };

  test("is nothing while all is well, and nothing is asked of who is muted or types", () => {
    for (const microphone of ["on", "muted", "off"] as const) expect(missing({ ...fine, microphone })).toBeNull();
  });

  test.each<[string, Partial<Signs>]>([
    ["gateway", { link: "connecting", linkFor: 7000 }],
    ["connection", { link: "reconnecting" }],
    ["browser holds the sound", { blocked: true }],
    ["No agent", { agent: "absent", agentFor: 7000 }],
    ["take over", { agent: "absent", agentFor: 2000, met: true }],
    ["does not get ready", { agent: "joining", agentFor: 11_000 }],
    ["queues", { agent: "thinking", agentFor: 9000 }],
    ["perfectly silent", { microphone: "dead", microphoneFor: 5000 }],
    ["no speech is made out", { unheardFor: 6000 }],
  ])("names the %s", (word, signs) => {
    expect(missing({ ...fine, ...signs })).toContain(word);
  });
});

test("the line is good while nothing waits, and poor when sound runs dry again and again", () => {
  expect([qualityOf(0, 0), qualityOf(20_000, 0), qualityOf(0, 1), qualityOf(60_000, 0), qualityOf(0, 4)]).toEqual([
    "good",
    "fair",
    "fair",
    "poor",
    "poor",
  ]);
});
