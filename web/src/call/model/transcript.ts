import type { CallEvent, How } from "@/call/model/events";
import { hushed, type Sentence } from "@/call/model/words";

interface Common {
  id: string;
  participant: string;
  /** When it began, ms: lines stand in this order. */
  at: number;
}

/** Somebody's words. `final` false: they may still change. */
export interface PersonLine extends Common {
  kind: "person";
  turn: number | null;
  text: string;
  final: boolean;
  typed: boolean;
}

/** A reply. `said`: where only that is known; `over`: how it ended, and what was heard of it; `took`: seconds until it sounded. */
export interface AgentLine extends Common {
  kind: "agent";
  turn: number;
  sentences: Sentence[];
  said: string;
  over: { how: How; heard: string } | null;
  took: number | null;
}

export interface FileLine extends Common {
  kind: "file";
  name: string;
  size: number;
  url: string;
}

export type Line = PersonLine | AgentLine | FileLine;

/** `speaking`: since when, ms, each person has been speaking, until their words come; `session`: the last that was told of. */
export interface Transcript {
  session?: string;
  lines: readonly Line[];
  speaking: Readonly<Record<string, number>>;
}

export const EMPTY: Transcript = { lines: [], speaking: {} };

/** Lines that are kept, the latest: anybody in a room may type without end. */
export const MOST_LINES = 1000;

/** The turn of replies of sessions that went before: another counts from 1 again. */
const BYGONE = -1;

/** What an event makes of it. `now`: ms. The same object where nothing changes. */
export function reduceTranscript(transcript: Transcript, event: CallEvent, now: number): Transcript {
  switch (event.type) {
    case "session":
      return begun(transcript, event.session);
    case "speech":
      return event.speaking ? spoke(transcript, event.participant, now) : transcript;
    case "heard":
      return heard(transcript, event, now);
    case "typed": {
      const { id, participant, text } = event;
      return put(transcript, { kind: "person", id, participant, at: now, turn: null, text, final: true, typed: true });
    }
    case "file": {
      const { type: _, ...file } = event;
      return put(transcript, { kind: "file", ...file, at: now });
    }
    case "sentence": {
      const { index, text, spoken, at } = event;
      return reply(transcript, event.turn, now, (line) => {
        const known = line.sentences.find((sentence) => sentence.index === index);
        const sentence = { index, text, spoken, at, parts: known?.parts ?? {} };
        const others = line.sentences.filter((one) => one.index !== index);
        return { ...line, sentences: [...others, sentence].sort((one, other) => one.index - other.index) };
      });
    }
    case "timings":
      return reply(transcript, event.turn, now, (line) => timed(line, event));
    case "said":
      return reply(transcript, event.turn, now, (line) => ({ ...line, said: event.text }));
    case "hushed":
      return each(transcript, (line) =>
        line.kind === "agent" && line.over === null
          ? { ...line, sentences: line.sentences.map((sentence) => hushed(sentence, event.at)) }
          : line,
      );
    case "turn":
      if (event.how === "taken_back") return unsaid(transcript, event.turn);
      return each(transcript, (line) =>
        line.kind === "agent" && line.turn === event.turn
          ? { ...line, over: { how: event.how, heard: event.heard } }
          : line,
      );
    case "took":
      return each(transcript, (line) =>
        line.kind === "agent" && line.turn === event.turn ? { ...line, took: event.seconds } : line,
      );
    default:
      return transcript;
  }
}

function begun(transcript: Transcript, session: string): Transcript {
  const { session: before = session } = transcript;
  if (before === session) return transcript.session === session ? transcript : { ...transcript, session };
  const lines = transcript.lines.map((line) =>
    line.kind === "agent" && line.turn !== BYGONE ? { ...line, id: `${line.id} ${before}`, turn: BYGONE } : line,
  );
  return { ...transcript, lines, session };
}

/** Timings may come before the sentence they belong to: its text is not known then. */
function timed(line: AgentLine, event: CallEvent & { type: "timings" }): AgentLine {
  const known = line.sentences.some((sentence) => sentence.index === event.index);
  const first = event.words[0]?.[1] ?? 0;
  const fresh: Sentence = { index: event.index, text: "", spoken: true, at: first, parts: {} };
  const sentences = known ? line.sentences : [...line.sentences, fresh];
  return {
    ...line,
    sentences: sentences.map((sentence) =>
      sentence.index === event.index
        ? { ...sentence, parts: { ...sentence.parts, [event.part]: event.words } }
        : sentence,
    ),
  };
}

/** What was a noise, without words, is over once another's line has begun after it: these words are to stand below that. */
function spoke(transcript: Transcript, participant: string, now: number): Transcript {
  const since = transcript.speaking[participant];
  const goesOn =
    since !== undefined && !transcript.lines.some((line) => line.at > since && line.participant !== participant);
  return goesOn ? transcript : { ...transcript, speaking: { ...transcript.speaking, [participant]: now } };
}

function silenced(transcript: Transcript, participant: string): Transcript {
  if (transcript.speaking[participant] === undefined) return transcript;
  const { [participant]: _, ...speaking } = transcript.speaking;
  return { ...transcript, speaking };
}

function heard(transcript: Transcript, event: CallEvent & { type: "heard" }, now: number): Transcript {
  const { participant, utterance, text, final, turn } = event;
  const { lines } = transcript;
  const before = lines.find((line) => line.id === utterance);
  if (text.trim() === "") {
    if (before === undefined && !final) return transcript;
    const silent = silenced(transcript, participant);
    return before === undefined ? silent : { ...silent, lines: lines.filter((line) => line !== before) };
  }
  const since = transcript.speaking[participant];
  const at = before?.at ?? since ?? now;
  const line: PersonLine = { kind: "person", id: utterance, participant, at, turn, text, final, typed: false };
  const { speaking } = final ? silenced(transcript, participant) : transcript;
  if (before === undefined) return put({ ...transcript, speaking }, line);
  return { ...transcript, speaking, lines: lines.map((one) => (one === before ? line : one)) };
}

function reply(transcript: Transcript, turn: number, now: number, change: (line: AgentLine) => AgentLine): Transcript {
  const found = transcript.lines.find((line): line is AgentLine => line.kind === "agent" && line.turn === turn);
  if (found !== undefined) return each(transcript, (line) => (line === found ? change(found) : line));
  const id = `agent-${turn}`;
  const line: AgentLine = {
    kind: "agent",
    id,
    participant: "",
    at: now,
    turn,
    sentences: [],
    said: "",
    over: null,
    took: null,
  };
  return put(transcript, change(line));
}

/** Nothing of that reply is shown. */
function unsaid(transcript: Transcript, turn: number): Transcript {
  return { ...transcript, lines: transcript.lines.filter((line) => line.kind !== "agent" || line.turn !== turn) };
}

function each(transcript: Transcript, change: (line: Line) => Line): Transcript {
  const lines = transcript.lines.map(change);
  return lines.every((line, place) => line === transcript.lines[place]) ? transcript : { ...transcript, lines };
}

function put(transcript: Transcript, line: Line): Transcript {
  const place = transcript.lines.findLastIndex((other) => other.at <= line.at) + 1;
  return { ...transcript, lines: transcript.lines.toSpliced(place, 0, line).slice(-MOST_LINES) };
}
