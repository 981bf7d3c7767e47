import type { AgentState, CallEvent, Link, Person, Quality } from "@/call/model/events";
import { EMPTY, reduceTranscript, type Transcript } from "@/call/model/transcript";

/** All that is known of a call, as a value. Times are ms by performance.now(). */
export interface CallState {
  link: Link;
  session: string;
  warnings: string[];
  agent: AgentState;
  agentSince: number;
  people: Person[];
  quality: Quality;
  blocked: boolean;
  /** The last thing that went wrong, until something goes right. */
  trouble: string;
  transcript: Transcript;
  /** Answers of which something is new to ask the API for: rises with each turn that began to sound or ended. */
  turns: number;
}

export function begun(now: number): CallState {
  return {
    link: { phase: "connecting" },
    session: "",
    warnings: [],
    agent: "absent",
    agentSince: now,
    people: [],
    quality: "unknown",
    blocked: false,
    trouble: "",
    transcript: EMPTY,
    turns: 0,
  };
}

/** What an event makes of the call. */
export function reduce(state: CallState, event: CallEvent, now: number): CallState {
  const transcript = reduceTranscript(state.transcript, event, now);
  const next: CallState = { ...state, transcript };
  switch (event.type) {
    case "link":
      return linked(next, event.link, now);
    case "session":
      return { ...next, session: event.session, warnings: event.warnings.length > 0 ? event.warnings : next.warnings };
    case "agent":
      return event.state === state.agent ? next : { ...next, agent: event.state, agentSince: now };
    case "sentence":
      return { ...next, trouble: "", turns: event.index === 0 ? state.turns + 1 : state.turns };
    case "said":
      return begins(state, event.turn) ? { ...next, trouble: "" } : next;
    case "turn":
      return { ...next, turns: state.turns + 1 };
    case "people":
      return { ...next, people: event.people };
    case "quality":
      return { ...next, quality: event.quality };
    case "blocked":
      return { ...next, blocked: event.blocked };
    case "trouble":
      return { ...next, trouble: event.message };
    default:
      return next;
  }
}

/** Whether nothing has sounded of a reply yet, where only that is told. */
function begins({ transcript }: CallState, turn: number): boolean {
  return !transcript.lines.some((line) => line.kind === "agent" && line.turn === turn && line.said !== "");
}

function linked(state: CallState, link: Link, now: number): CallState {
  if (link.phase === "connected") return { ...state, link, trouble: "" };
  if (link.phase === "connecting") return { ...state, link };
  const quality: Quality = link.phase === "reconnecting" ? "poor" : "unknown";
  return { ...state, link, quality, agent: "absent", agentSince: now };
}
