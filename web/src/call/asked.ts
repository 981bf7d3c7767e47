import { useSearch } from "wouter";
import { navigate, useHistoryState } from "wouter/use-browser-location";

/** An agent that was asked for by going to the call's page. `at`: when, by Date.now(), 0: none was. */
export interface Asked {
  agent: string;
  at: number;
}

/** Where one talks to that agent. */
export function addressOf(agent: string): string {
  return `/?agent=${encodeURIComponent(agent)}`;
}

/** Goes there, and has the history remember when: it is asked for anew, whatever call was before. */
export function talkTo(agent: string): void {
  navigate(addressOf(agent), { state: { asked: Date.now() } });
}

/** What this place in the history asks for: the same after a reload, and when one comes back to it. */
export function useAsked(): Asked {
  const state = useHistoryState<unknown>();
  return askedBy(useSearch(), state);
}

export function askedBy(search: string, state: unknown): Asked {
  const agent = new URLSearchParams(search).get("agent") ?? "";
  const at = (state as { asked?: unknown } | null)?.asked;
  return { agent, at: agent !== "" && typeof at === "number" ? at : 0 };
}

export type View = "call" | "still on" | "waiting" | "start";

/** What the call's page shows. Who asked for an agent after the last call began wants that agent, not that call.
 * `left`: whether a call waits that an earlier page left. */
export function viewOf(asked: Asked, call: { since: number; over: boolean } | null, left: boolean): View {
  if (call === null) return left ? "waiting" : "start";
  if (asked.at <= call.since) return "call";
  return call.over ? "start" : "still on";
}
