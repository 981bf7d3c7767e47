import { endedBadly, isFork, type Row } from "@/console/shared/row";

export const TRANSPORTS = ["websocket", "livekit", "sip", "file", "memory"] as const;
type Transport = (typeof TRANSPORTS)[number];

/** What of the sessions is wanted; "" or false: no matter. `slow`: the worst turn took at least so many ms; `forks`: replays of
 * others, or all but those. */
export interface Filters {
  q: string;
  state: "" | "open" | "closed";
  agent: string;
  transport: "" | Transport;
  slow: string;
  failed: boolean;
  forks: "" | "only" | "none";
}

export const NO_FILTERS: Filters = { q: "", state: "", agent: "", transport: "", slow: "", failed: false, forks: "" };

/** As they stand in the page's address. What makes no sense there is passed over. */
export function filtersOf(search: string): Filters {
  const asked = new URLSearchParams(search);
  const state = asked.get("state");
  const slow = asked.get("slow") ?? "";
  const forks = asked.get("forks");
  return {
    q: (asked.get("q") ?? "").slice(0, 200),
    state: state === "open" || state === "closed" ? state : "",
    agent: asked.get("agent") ?? "",
    transport: TRANSPORTS.find((one) => one === asked.get("transport")) ?? "",
    slow: /^[1-9]\d{0,5}$/.test(slow) ? slow : "",
    failed: asked.get("failed") === "1",
    forks: forks === "only" || forks === "none" ? forks : "",
  };
}

/** The address's part for them, "" for none. */
export function searchOf(filters: Filters): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) made.set(name, value === true ? "1" : value);
  const text = made.toString();
  return text ? `?${text}` : "";
}

/** The same as parameters of GET /v1/sessions. */
export function queryOf(filters: Filters) {
  return {
    state: filters.state || undefined,
    agent: filters.agent || undefined,
    transport: filters.transport || undefined,
    slow_ms: filters.slow ? Number(filters.slow) : undefined,
    failed: filters.failed || undefined,
    forks: filters.forks ? filters.forks === "only" : undefined,
    q: filters.q || undefined,
  };
}

/** Whether a row that came by the stream belongs in the list; the server judges its own pages in the same way. */
export function matches(row: Row, filters: Filters): boolean {
  if (filters.state && row.state !== filters.state) return false;
  if (filters.agent && row.agent !== filters.agent) return false;
  if (filters.transport && row.transport !== filters.transport) return false;
  if (filters.slow && (row.worst_ms ?? 0) < Number(filters.slow)) return false;
  if (filters.failed && row.failed + row.unanswered + row.troubles === 0 && !endedBadly(row)) return false;
  if (filters.forks && isFork(row) !== (filters.forks === "only")) return false;
  const wanted = filters.q.trim().toLowerCase();
  const people = row.participants.flatMap(({ identity, name }) => [identity, name]);
  return (
    !wanted ||
    [row.session, row.room, row.agent, row.gateway, ...people].some((one) => one.toLowerCase().includes(wanted))
  );
}
