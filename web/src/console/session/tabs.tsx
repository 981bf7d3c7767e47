import clsx from "clsx";
import type { KeyboardEvent } from "react";

interface Props<Name extends string> {
  label: string;
  tabs: readonly { name: Name; title: string; count?: number }[];
  chosen: Name;
  onChoose: (name: Name) => void;
}

/** Which of several views is shown. The arrows go from one to the next. */
export function Tabs<Name extends string>({ label, tabs, chosen, onChoose }: Props<Name>) {
  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.name === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onChoose(next.name);
    event.currentTarget.querySelector<HTMLElement>(`#tab-${next.name}`)?.focus();
  };
  return (
    <div role="tablist" aria-label={label} onKeyDown={press} className="flex gap-1 border-b border-line px-2">
      {tabs.map(({ name, title, count }) => (
        <button
          key={name}
          id={`tab-${name}`}
          type="button"
          role="tab"
          aria-selected={name === chosen}
          aria-controls={`panel-${name}`}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
          className={clsx(
            "-mb-px h-11 border-b-2 px-3 text-sm",
            name === chosen ? "border-accent font-semibold text-ink" : "border-transparent text-muted hover:text-ink",
          )}
        >
          {title}
          {count === undefined ? null : (
            <span className="ml-1.5 text-xs text-muted tabular-nums">{count.toLocaleString("en")}</span>
          )}
        </button>
      ))}
    </div>
  );
}
