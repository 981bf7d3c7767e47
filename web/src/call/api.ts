import { authorization, problemOf } from "@/api/client";

/** What the call asks of the API. Each rejects with an ApiError. */
async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { ...authorization(), "Content-Type": "application/json" };
  const response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

export interface WebSocketTicket {
  url: string;
  token: string;
  expires_in: number;
}

export function webSocketTicket(agent: string, participant: string): Promise<WebSocketTicket> {
  return ask("POST", "/v1/ws/ticket", { ...(agent && { agent }), ...(participant && { participant }) });
}

export interface LiveKitToken {
  server_url: string;
  participant_token: string;
}

export function liveKitToken(wanted: {
  room: string;
  name: string;
  identity: string;
  agent: string;
}): Promise<LiveKitToken> {
  return ask("POST", "/v1/livekit/token", {
    room_name: wanted.room || undefined,
    participant_name: wanted.name || undefined,
    participant_identity: wanted.identity || undefined,
    room_config: wanted.agent
      ? { agents: [{ agent_name: "", metadata: JSON.stringify({ agent: wanted.agent }) }] }
      : undefined,
  });
}

export function removeFromRoom(room: string, identity: string): Promise<unknown> {
  return ask("DELETE", `/v1/rooms/${encodeURIComponent(room)}/participants/${encodeURIComponent(identity)}`);
}
