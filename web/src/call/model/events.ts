/** What happens in a call, in one vocabulary whatever carries it. A transport tells these; reducers make of them what is seen. */

export type AgentState = "absent" | "joining" | "listening" | "thinking" | "speaking";
export type Quality = "unknown" | "good" | "fair" | "poor";
/** `taken_back`: whoever it answered went on as it began; it counts as never said. */
export type How = "played" | "interrupted" | "dropped" | "failed" | "expired" | "taken_back";

/** A word and when it sounds, from and to: seconds of the agent's sound, by the transport's `voice.position()`. */
export type TimedWord = readonly [text: string, start: number, end: number];

/** A shape of the mouth (Oculus' names: sil PP FF TH DD kk CH SS nn RR aa E I O U), from and to, on the same clock. */
export type TimedShape = readonly [shape: string, start: number, end: number];

export interface Person {
  identity: string;
  name: string;
  kind: "me" | "person" | "agent";
  muted: boolean;
  speaking: boolean;
  quality: Quality;
}

/** `over`: for good, `why` says it in a sentence; `failed`: not as anybody wished. */
export type Link =
  | { phase: "connecting" }
  | { phase: "connected" }
  | { phase: "reconnecting"; since: number }
  | { phase: "over"; why: string; failed: boolean };

export type CallEvent =
  | { type: "link"; link: Link }
  | { type: "session"; session: string; warnings: string[] }
  | { type: "agent"; state: AgentState }
  /** The agent is talked to by a button alone. */
  | { type: "by_button" }
  | { type: "speech"; participant: string; speaking: boolean }
  /** Words of a person: all of a line, by its name; an empty text withdraws it. */
  | {
      type: "heard";
      participant: string;
      turn: number | null;
      utterance: string;
      text: string;
      final: boolean;
    }
  | { type: "typed"; id: string; participant: string; text: string }
  | { type: "file"; id: string; participant: string; name: string; size: number; url: string }
  /** A sentence of the agent; its sound begins about `at`. `spoken` false: there is none, it is shown. */
  | { type: "sentence"; turn: number; index: number; text: string; spoken: boolean; at: number }
  /** `shapes`: of the mouth meanwhile, where the TTS tells them. */
  | { type: "timings"; turn: number; index: number; part: number; words: TimedWord[]; shapes?: TimedShape[] }
  /** What has sounded of a reply, where only that is told. */
  | { type: "said"; turn: number; text: string }
  /** The agent fell silent at `at`: what was to sound later will not, or will be told again. */
  | { type: "hushed"; at: number }
  /** `heard`: the reply as it was heard. */
  | { type: "turn"; turn: number; how: How; heard: string }
  /** How long it was until the answer sounded, seconds. */
  | { type: "took"; turn: number; seconds: number }
  | { type: "people"; people: Person[] }
  | { type: "quality"; quality: Quality }
  /** The browser plays nothing before a press. */
  | { type: "blocked"; blocked: boolean }
  | { type: "trouble"; code: string; message: string };
