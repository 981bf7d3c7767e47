import { CircleAlert, Info, WifiOff } from "lucide-react";
import { Link } from "wouter";
import type { Call, Snapshot } from "@/call/call";
import type { AgentState, Quality } from "@/call/model/events";
import { Button } from "@/ui/button";

const STATES: Record<AgentState, string> = {
  absent: "Waiting for the agent",
  joining: "The agent is coming",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
};

/** What the agent does, in a word or two. */
export function stateInWords({ call }: Snapshot): string {
  switch (call.link.phase) {
    case "connecting":
      return "Connecting";
    case "reconnecting":
      return "Reconnecting";
    case "over":
      return "The call is over";
    default:
      return STATES[call.agent];
  }
}

const BARS: Record<Quality, number> = { unknown: 0, good: 3, fair: 2, poor: 1 };
const QUALITIES: Record<Quality, string> = {
  unknown: "Connection: not known yet",
  good: "Connection: good",
  fair: "Connection: fair, sound may stumble",
  poor: "Connection: poor",
};

export function QualityBars({ quality }: { quality: Quality }) {
  const filled = BARS[quality];
  return (
    <span
      role="img"
      aria-label={QUALITIES[quality]}
      title={QUALITIES[quality]}
      className="inline-flex items-end gap-0.5"
    >
      {[1, 2, 3].map((bar) => (
        <span
          key={bar}
          className={`w-1 rounded-sm ${bar === 1 ? "h-1.5" : bar === 2 ? "h-2.5" : "h-3.5"} ${
            bar > filled ? "bg-line" : quality === "poor" ? "bg-bad" : quality === "fair" ? "bg-warn" : "bg-good"
          }`}
        />
      ))}
    </span>
  );
}

/** Which call this is, how good the line, and the way to the whole of it. */
export function CallHead({ call, snapshot, mayOpen }: { call: Call; snapshot: Snapshot; mayOpen: boolean }) {
  const { link, session, quality } = snapshot.call;
  const { agent, room, kind } = call.wish;
  return (
    <header className="flex min-h-12 items-center gap-3 px-4 text-sm">
      <p className="min-w-0 flex-1 truncate text-muted">
        <span className="font-medium text-ink">{room || agent || "Call"}</span>
        {" · "}
        {kind === "livekit" ? "LiveKit" : "WebSocket"}
      </p>
      {link.phase === "over" ? null : <QualityBars quality={quality} />}
      {session && mayOpen && link.phase !== "over" ? (
        <Link
          href={`/sessions/${encodeURIComponent(session)}`}
          className="shrink-0 font-medium text-accent hover:underline"
        >
          The whole call
        </Link>
      ) : null}
    </header>
  );
}

/** What is wrong or missing, one sentence at a time, the most urgent first. */
export function Notices({ snapshot, onUnblock }: { snapshot: Snapshot; onUnblock: () => void }) {
  const { call, mine, missing } = snapshot;
  if (call.link.phase === "over") return null;
  const lost = call.link.phase === "reconnecting";
  const asking = mine.microphone === "opening" ? "Allow the microphone, and speak. Or type." : "";
  const sentence = missing || call.trouble || mine.problem || asking || call.warnings[0] || "";
  if (!sentence) return null;
  const Icon = lost ? WifiOff : missing || call.trouble ? CircleAlert : Info;
  return (
    <div className="flex items-start gap-2 rounded-md bg-warn-wash px-3 py-2 text-sm text-ink">
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
      <p className="min-w-0 flex-1">{sentence}</p>
      {call.blocked ? (
        <Button size="small" tone="primary" onClick={onUnblock}>
          Let it sound
        </Button>
      ) : null}
    </div>
  );
}
