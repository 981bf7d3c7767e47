import { BASE, soundTicket } from "@/api/client";

/** The address of something of a session's. */
export function addressOf(session: string, what = ""): string {
  return `/v1/sessions/${encodeURIComponent(session)}${what}`;
}

/** The address of a session's sound, for a browser's own loader: that sends no Authorization. */
export function loadable(path: string): string {
  const shown = soundTicket();
  if (!shown) return BASE + path;
  return `${BASE}${path}${path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(shown)}`;
}
