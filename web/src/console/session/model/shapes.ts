import type { components } from "@/api/schema";

/** A session as the API tells it (api/sessions/shapes.py). Seconds are counted from the session's beginning. */
type Shapes = components["schemas"];

export type SessionView = Shapes["SessionView"];
export type SessionRow = Shapes["SessionRow"];
/** `at_s` is when it happened: not in order of `seq`, for a fact may be told later. */
export type LogEvent = Shapes["EventView"];
export type Line = Shapes["LineView"];
export type Turn = Shapes["TurnView"];
export type Bar = Shapes["BarView"];
export type Word = Shapes["WordView"];
export type Utterance = Shapes["UtteranceView"];
export type TypedText = Shapes["LetterView"];
export type Sentence = Shapes["SentenceView"];
export type Tool = Shapes["ToolView"];
export type Found = Shapes["FoundView"];
export type Note = Shapes["NoteView"];
export type Pending = Shapes["PendingView"];
export type Receipt = Shapes["Asked"];

/** What a session amounts to after one of its events (schemas/session/history.py, `whole`). Moments are µs. */
export interface SessionState {
  seq: number;
  floor: "agent" | "user" | "none";
  agent: components["schemas"]["AgentSpec"];
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
