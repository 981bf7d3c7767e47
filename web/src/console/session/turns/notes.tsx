import { Diamond } from "lucide-react";
import { clockTime } from "@/console/session/model/clock-time";
import type { Note } from "@/console/session/model/shapes";
import type { Clock } from "@/console/session/player/clock";
import { markColour } from "@/console/session/player/draw";

/** What went otherwise than it should, a sentence each; the same marks stand on the timeline. */
export function Notes({ notes, clock }: { notes: readonly Note[]; clock: Clock }) {
  if (notes.length === 0) return null;
  return (
    <ul className="flex flex-col gap-1">
      {notes.map((note) => (
        <li key={`${note.at_s} ${note.kind} ${note.text}`}>
          <button
            type="button"
            title="Go there"
            onClick={() => clock.seek(note.at_s)}
            className="grid w-full grid-cols-[1.25rem_3.5rem_minmax(0,1fr)] items-baseline rounded-sm text-left text-sm hover:bg-raised"
          >
            <Diamond
              aria-hidden
              fill="currentColor"
              className="size-2.5 self-center"
              style={{ color: `var(${markColour(note.kind)})` }}
            />
            <span className="text-xs text-muted tabular-nums">{clockTime(note.at_s)}</span>
            <span className="break-words">{note.text}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
