import { WAITS_MS } from "@/call/transport/transport";

/** What to do after a WebSocket was closed (docs/websocket.md, close codes). */
export type Next = { do: "return"; inMs: number } | { do: "over"; why: string; failed: boolean };

export interface Closed {
  code: number;
  /** The last fatal error that was told; its sentence is better than any of ours. */
  error: { code: string; message: string } | null;
  /** The reason of an `ended`, "" without one. */
  ended: string;
  /** Whether there is a session to come back to. */
  resumable: boolean;
  /** Since the connection was lost, ms; and how often it was tried since. */
  lostFor: number;
  tries: number;
}

const ENDINGS: Record<string, string> = {
  hang_up: "You left the call.",
  end_requested: "The call was ended by an operator, or by the agent.",
  client_gone: "The call ended while this browser was away.",
  limit: "The call ended: it was silent for too long, or reached its longest duration.",
  gateway_lost: "The call ended because its gateway was lost and no other took it over.",
  idle: "The call ended: nobody said anything.",
  room_closed: "The room was closed.",
  error: "The call ended because of an error in the gateway.",
};

export const NOT_BACK = "The connection was lost, and did not come back in time.";

export function afterClose(closed: Closed): Next {
  if (closed.ended) {
    const why = ENDINGS[closed.ended] ?? `The call ended (${closed.ended.replaceAll("_", " ")}).`;
    return { do: "over", why, failed: closed.ended === "error" || closed.ended === "gateway_lost" };
  }
  if (closed.error !== null) {
    const moves = closed.error.code === "draining" || closed.error.code === "log";
    if (!(moves && closed.resumable)) return { do: "over", why: closed.error.message, failed: true };
  }
  if (closed.code === 1000) return { do: "over", why: "The call ended.", failed: false };
  if (closed.code === 1003 || closed.code === 1008 || closed.code === 1009) {
    return { do: "over", why: "The gateway refused this connection.", failed: true };
  }
  if (!closed.resumable) {
    return {
      do: "over",
      why: "The gateway can't be reached. It may not be running, or not let pages of this address in (GATEWAY_ALLOWED_ORIGINS).",
      failed: true,
    };
  }
  if (closed.lostFor > WAITS_MS) {
    return { do: "over", why: NOT_BACK, failed: true };
  }
  return { do: "return", inMs: closed.tries === 0 ? 0 : Math.min(4000, 250 * 2 ** (closed.tries - 1)) };
}
