import { api, authorization, BASE, problemOf } from "@/api/client";
import type { components } from "@/api/schema";

/** What the call asks of the API. Each rejects with an ApiError. */
export type TurnTimes = components["schemas"]["TurnView"];
export type Bar = components["schemas"]["BarView"];

async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { ...authorization(), "Content-Type": "application/json" };
  const text = body === undefined ? null : JSON.stringify(body);
  const response = await fetch(BASE + path, { method, headers, body: text, signal: signal ?? null });
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** `agent`: what the token is for, to be said in `start`. */
export interface WebSocketTicket {
  url: string;
  token: string;
  agent?: string;
}

export function webSocketTicket(agent: string): Promise<WebSocketTicket> {
  return ask("POST", "/v1/ws/ticket", { agent });
}

export async function liveKitToken(wanted: { room: string; name: string; agent: string }) {
  const { data } = await api.POST("/v1/livekit/token", {
    body: {
      room_name: wanted.room || null,
      participant_name: wanted.name || null,
      room_config: wanted.agent ? { agents: [{ agent_name: wanted.agent }] } : null,
    },
  });
  return data as NonNullable<typeof data>;
}

export function removeFromRoom(room: string, identity: string): Promise<unknown> {
  return ask("DELETE", `/v1/rooms/${encodeURIComponent(room)}/participants/${encodeURIComponent(identity)}`);
}

export async function turnsOf(session: string, signal: AbortSignal): Promise<TurnTimes[]> {
  const { data } = await api.GET("/v1/sessions/{session}", { params: { path: { session } }, signal });
  return data?.turns ?? [];
}

export interface ListedAgent {
  name: string;
  is_default: boolean;
  problem?: string | null;
}

export async function listedAgents(signal: AbortSignal): Promise<ListedAgent[]> {
  return (await ask<{ agents: ListedAgent[] }>("GET", "/v1/agents", undefined, signal)).agents;
}

/** `problem`: what keeps LiveKit from being used, "" nothing. */
export function liveKitStatus(signal: AbortSignal): Promise<{ reachable: boolean; problem: string }> {
  return ask("GET", "/v1/livekit/status", undefined, signal);
}
