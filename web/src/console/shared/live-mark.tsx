import clsx from "clsx";
import type { Phase } from "@/api/stream";
import { Button } from "@/ui/button";

/** Whether what one sees is how it is now. */
export function LiveMark({ phase, restart }: { phase: Phase; restart: () => void }) {
  if (phase.state === "refused")
    return (
      <span className="flex items-center gap-2 text-xs text-bad" role="status">
        {phase.error.message}
        <Button size="small" onClick={restart}>
          Try again
        </Button>
      </span>
    );
  const live = phase.state === "live";
  const words = live ? "Live" : phase.state === "waiting" ? "Not live: trying again" : "Connecting";
  return (
    <span
      role="status"
      title={phase.state === "waiting" ? phase.because : undefined}
      className={clsx("inline-flex items-center gap-2 whitespace-nowrap text-xs", live ? "text-muted" : "text-warn")}
    >
      <span aria-hidden className={clsx("size-2 rounded-full", live ? "bg-good" : "animate-pulse bg-warn")} />
      {words}
    </span>
  );
}
