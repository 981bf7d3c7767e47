import { answered, api } from "@/api/client";
import type { components } from "@/api/schema";

/** What the call asks of the API. Each rejects with an ApiError. */
export type TurnTimes = components["schemas"]["TurnView"];
export type Bar = components["schemas"]["BarView"];

/** `agent`: what the token is for, to be said in `start`. */
export async function gatewayEntry(agent: string, room: string, signal: AbortSignal) {
  return answered(api.POST("/v1/ws/ticket", { body: { agent, participant: "", room, metadata: {} }, signal }));
}

/** `identity`: who one was before; "" for a new one. */
export async function liveKitToken(wanted: { room: string; name: string; agent: string; identity: string }) {
  const body = {
    room_name: wanted.room || null,
    participant_name: wanted.name || null,
    participant_identity: wanted.identity || null,
    room_config: wanted.agent ? { agents: [{ agent_name: wanted.agent }] } : null,
  };
  return answered(api.POST("/v1/livekit/token", { body }));
}

export async function removeFromRoom(room: string, identity: string): Promise<void> {
  await api.DELETE("/v1/rooms/{room}/participants/{identity}", { params: { path: { room, identity } } });
}

export async function turnsOf(session: string, signal: AbortSignal): Promise<TurnTimes[]> {
  const { data } = await api.GET("/v1/sessions/{session}", { params: { path: { session } }, signal });
  return data?.turns ?? [];
}

export async function listedAgents(signal: AbortSignal) {
  const { data } = await api.GET("/v1/agents", { signal });
  return data?.agents ?? [];
}

/** `problem`: what keeps LiveKit from being used, "" nothing. */
export async function liveKitStatus(signal: AbortSignal) {
  return answered(api.GET("/v1/livekit/status", { signal }));
}
