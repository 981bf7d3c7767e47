import { LoaderCircle } from "lucide-react";
import type { Pending as Awaited } from "@/console/session/model/shapes";
import { type Clock, useClock } from "@/console/session/player/clock";
import { latency } from "@/format";

const NAMES: Record<string, string> = { stt: "STT", llm: "LLM", tts: "TTS", playout: "Playout" };

/** What a live turn waits for, and since when. */
export function Pending({ pending, clock }: { pending: readonly Awaited[]; clock: Clock }) {
  const now = useClock(clock, (one) => (pending.length ? Math.round(one.duration * 10) / 10 : 0));
  if (pending.length === 0) return null;
  return (
    <ul aria-label="Still to come" className="flex flex-col gap-1 text-sm">
      {pending.map((one) => (
        <li key={`${one.part} ${one.what}`} className="flex items-center gap-2">
          <LoaderCircle aria-hidden className="size-3.5 animate-spin text-accent" />
          <span>
            Waiting for {NAMES[one.part] ?? one.part}: {one.what}
          </span>
          <span className="text-xs text-muted tabular-nums">for {latency(Math.max(0, now - one.since_s) * 1000)}</span>
        </li>
      ))}
    </ul>
  );
}
