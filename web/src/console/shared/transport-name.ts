const NAMES: Record<string, string> = {
  websocket: "WebSocket",
  livekit: "LiveKit",
  sip: "Phone",
  file: "File",
  memory: "Memory",
};

/** How a call was carried, as people say it. */
export function transportName(transport: string): string {
  return NAMES[transport] ?? transport;
}
