import clsx from "clsx";
import type { ReactNode } from "react";
import type { Filter } from "@/console/session/model/filter";
import { TextField } from "@/ui/field";

interface Props {
  filter: Filter;
  kinds: readonly [kind: string, count: number][];
  onFilter: (filter: Filter) => void;
  children?: ReactNode;
}

/** Which events are shown: by what they are of, and by words in them. */
export function FilterBar({ filter, kinds, onFilter, children }: Props) {
  const toggle = (kind: string) => {
    const chosen = new Set(filter.kinds);
    if (!chosen.delete(kind)) chosen.add(kind);
    onFilter({ ...filter, kinds: chosen });
  };
  return (
    <div className="flex flex-col gap-2 p-4 pb-2">
      <div className="flex items-center gap-2">
        <div className="flex-1">
          <TextField
            label="Look for"
            hideLabel
            type="search"
            placeholder="Words, a job, a number"
            value={filter.text}
            onChange={(event) => onFilter({ ...filter, text: event.target.value })}
          />
        </div>
        {children}
      </div>
      <fieldset className="flex min-w-0 gap-1 overflow-x-auto pb-1">
        <legend className="sr-only">Kinds of events</legend>
        {kinds.map(([kind, count]) => {
          const on = filter.kinds.has(kind);
          return (
            <button
              key={kind}
              type="button"
              aria-pressed={on}
              onClick={() => toggle(kind)}
              className={clsx(
                "h-7 shrink-0 rounded-full border px-2.5 text-xs tabular-nums",
                on ? "border-accent bg-accent-wash text-accent" : "border-line text-muted hover:border-strong-line",
              )}
            >
              {kind} {count}
            </button>
          );
        })}
      </fieldset>
    </div>
  );
}
