import { CircleAlert, CircleCheck } from "lucide-react";
import type { TextProblem } from "@/console/agents/editing";

/** What is wrong, each with the way to its line. */
export function Problems({
  id,
  problems,
  failed,
  onLine,
}: {
  id: string;
  problems: readonly TextProblem[] | undefined;
  /** Why it can't be told. */
  failed: string;
  onLine: (line: number) => void;
}) {
  return (
    <div id={id} role="status" className="min-h-5 text-sm">
      {failed ? <p className="text-warn">It can't be checked just now: {failed}</p> : null}
      {!failed && problems?.length === 0 ? (
        <p className="flex items-center gap-2 text-muted">
          <CircleCheck aria-hidden className="size-4 text-good" />
          Nothing wrong with it
        </p>
      ) : null}
      {!failed && problems && problems.length > 0 ? (
        <ul className="flex flex-col gap-1">
          {problems.map(({ line, message }) => (
            <li key={`${line} ${message}`} className="flex items-baseline gap-2 text-bad">
              <CircleAlert aria-hidden className="size-4 shrink-0 translate-y-0.5" />
              {line === null ? null : (
                <button type="button" className="whitespace-nowrap underline" onClick={() => onLine(line)}>
                  Line {line}
                </button>
              )}
              <span className="min-w-0 break-words whitespace-pre-line text-ink">{message}</span>
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
