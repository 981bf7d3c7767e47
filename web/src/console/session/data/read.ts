import { BASE, ticket } from "@/api/client";

/** The address of something of a session's. */
export function addressOf(session: string, what = ""): string {
  return `/v1/sessions/${encodeURIComponent(session)}${what}`;
}

/** An address that a browser's own loader can open: it sends no Authorization. */
export function loadable(path: string): string {
  const shown = ticket();
  if (!shown) return BASE + path;
  return `${BASE}${path}${path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(shown)}`;
}
