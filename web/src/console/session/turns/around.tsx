import type { Note } from "@/console/session/model/shapes";
import type { Clock } from "@/console/session/player/clock";
import { Notes } from "@/console/session/turns/notes";

/** What concerns the call and no single turn: who came and went, what was asked of it, what went wrong. */
export function Around({ notes, clock }: { notes: readonly Note[]; clock: Clock }) {
  if (notes.length === 0) return null;
  const trouble = notes.some((note) => TROUBLE.has(note.kind));
  return (
    <details open={trouble} className="rounded-md border border-line bg-surface px-4 py-2">
      <summary className="text-sm text-muted">Before, between and after the turns ({notes.length})</summary>
      <div className="pt-2 pb-1">
        <Notes notes={notes} clock={clock} />
      </div>
    </details>
  );
}

const TROUBLE: ReadonlySet<string> = new Set(["failed", "expired", "resumed", "rewound", "warning"]);
