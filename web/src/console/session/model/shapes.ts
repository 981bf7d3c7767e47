/** A session as the API tells it (api/routes/sessions.py, events.py). Seconds are counted from the session's beginning. */

export interface LogEvent {
  seq: number;
  type: string;
  /** When it happened; not in order, for a fact may be told later than it happened. */
  at_s: number;
  turn: number | null;
  line: Line;
  /** The event as it stands in the log, less what is as always. */
  body: Record<string, unknown>;
  /** When it was appended, ISO 8601. */
  at: string;
}

/** An event in words (schemas/session/words.py). */
export interface Line {
  who: string;
  text: string;
  detail: string;
  style: "user" | "agent" | "stage" | "system" | "trouble";
}

export interface Bar {
  part: string;
  name: string;
  meaning: string;
  /** From the turn's beginning. */
  begins_s: number;
  seconds: number;
  /** The first of these seconds, in which it waited for a worker. */
  queued_s: number;
  ms: number;
}

/** `heard`: it sounded to its end. What never sounded has no times. */
export interface Word {
  word: string;
  start_s: number | null;
  end_s: number | null;
  heard: boolean;
}

export interface Utterance {
  utterance: string;
  participant: string;
  name: string;
  start_s: number;
  end_s: number;
  /** Null until it is transcribed. */
  text: string | null;
  words: Word[];
  over: boolean;
  /** No transcript came: failed or expired. */
  lost: string | null;
}

/** Something typed. */
export interface Letter {
  participant: string;
  name: string;
  at_s: number;
  text: string;
}

export interface Sentence {
  index: number;
  text: string;
  start_s: number | null;
  end_s: number | null;
  /** What of it was heard. */
  heard: string;
  words: Word[];
  /** It was broken off, or never sounded. */
  cut: boolean;
}

export interface Tool {
  name: string;
  arguments: Record<string, unknown>;
  at_s: number;
  took_ms: number | null;
  result: string;
  error: string;
}

export interface Note {
  at_s: number;
  kind: string;
  text: string;
}

export interface Pending {
  part: string;
  what: string;
  since_s: number;
}

export interface Turn {
  turn: number;
  kind: string;
  began_s: number;
  ended_s: number | null;
  how: string;
  reason: string;
  why: string | null;
  text: string;
  reply: string;
  heard: string;
  model: string;
  total_ms: number | null;
  bars: Bar[];
  utterances: Utterance[];
  letters: Letter[];
  sentences: Sentence[];
  tools: Tool[];
  notes: Note[];
  pending: Pending[];
}

/** One session in the list of them. */
export interface SessionRow {
  session: string;
  state: "open" | "closed";
  agent: string;
  room: string;
  transport: string;
  participants: { identity: string; name: string; kind: string; present: boolean }[];
  started_at: string;
  ended_at: string | null;
  duration_s: number;
  turns: number;
  last_ms: number | null;
  p50_ms: number | null;
  worst_ms: number | null;
  activity: string;
  ended: string | null;
  interrupted: number;
  failed: number;
  events: number;
  gateway: string;
}

export interface Told {
  row: SessionRow;
  turns: Turn[];
  notes: Note[];
}

/** What a session amounts to after one of its events (schemas/session/history.py, `whole`). Moments are µs. */
export interface SessionState {
  seq: number;
  floor: "agent" | "user" | "none";
  instructions: string;
  participants: Record<string, { identity: string; name: string; kind: string; present: boolean; speaking: boolean }>;
  turns: Record<string, StateTurn>;
  says: { text: string }[];
  letters: { text: string }[];
  messages: ChatMessage[];
  ended: string | null;
}

export interface StateTurn {
  id: number;
  utterances: { participant: string; text: string | null; before: string }[];
  letters: { participant: string; text: string }[];
  partials: Record<string, string>;
  commit: { why: string } | null;
  reply: {
    sentences: Record<string, { index: number; text: string; started_at: number | null; heard: number }>;
  } | null;
  end: { how: string; reason: string; heard: string } | null;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
}
