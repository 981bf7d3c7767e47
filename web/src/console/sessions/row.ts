/** One session, as the list shows it (GET /v1/sessions). */
export interface Row {
  session: string;
  state: "open" | "closed";
  agent: string;
  room: string;
  transport: string;
  participants: string[];
  started_at: string;
  ended_at: string | null;
  duration_s: number;
  turns: number;
  last_ms: number | null;
  p50_ms: number | null;
  worst_ms: number | null;
  activity: string;
  ended: string;
  interrupted: number;
  failed: number;
  events: number;
  gateway: string;
}
