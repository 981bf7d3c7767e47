import type { AgentState, Link } from "@/call/model/events";

/** What is known of a call in which nothing seems to happen. Durations are ms. */
export interface Signs {
  link: Link["phase"];
  /** Since the link is as it is. */
  linkFor: number;
  agent: AgentState;
  agentFor: number;
  /** Whether it has been there before. */
  met: boolean;
  /** "off": none was asked for, or it was refused; "dead": open, and perfectly silent so far. */
  microphone: "on" | "muted" | "dead" | "off";
  microphoneFor: number;
  /** How long there has been sound at the microphone that nobody took for speech. */
  unheardFor: number;
  blocked: boolean;
}

/** The one sentence that says what is missing: server, agent, loudspeaker, microphone; null while all is well. */
export function missing(signs: Signs): string | null {
  if (signs.link === "connecting" && signs.linkFor > 6000) {
    return "The server has not answered yet. Is the gateway running, and can this browser reach it?";
  }
  if (signs.link === "reconnecting") return "The connection broke. Trying to get back; nothing is lost yet.";
  if (signs.link !== "connected") return null;
  if (signs.blocked) return "The browser holds the sound back until you press something.";
  if (signs.agent === "absent" && signs.met && signs.agentFor > 1000) {
    return "Nothing comes from the agent any more. Waiting for it, or for another one to take over; nothing is lost yet.";
  }
  if (signs.agent === "absent" && signs.agentFor > 6000) {
    return "No agent has come into the room. Is a gateway running, and does it have a place left?";
  }
  if (signs.agent === "joining" && signs.agentFor > 10_000) return "The agent is in the room, but does not get ready.";
  if (signs.agent === "thinking" && signs.agentFor > 8000) {
    return "The answer is taking long. The queues show whether a worker is missing or busy.";
  }
  if (signs.microphone === "dead" && signs.microphoneFor > 4000) {
    return "Your microphone is open but perfectly silent. Is it switched off, or is it another one?";
  }
  if (signs.agent === "listening" && signs.microphone === "on" && signs.unheardFor > 5000) {
    return "There is sound at your microphone, but no speech is made out. Come closer, or choose another microphone.";
  }
  return null;
}
