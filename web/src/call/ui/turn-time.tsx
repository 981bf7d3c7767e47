import { useId, useRef } from "react";
import { Link } from "wouter";
import type { Bar, TurnTimes } from "@/call/api";
import { latency } from "@/format";
import { PART_COLOUR } from "@/ui/part-colours";

/** Under an answer: how long it took, as a figure and a thin bar of its parts; pressed, what each of them was. */
export function TurnTime({ times, session }: { times: TurnTimes; session: string }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  if (times.total_ms === null || times.bars.length === 0) return null;
  const place = () => {
    const from = button.current?.getBoundingClientRect();
    const to = panel.current;
    if (from === undefined || to === null) return;
    const width = Math.min(304, window.innerWidth - 16);
    const below = from.bottom + 8 + 260 < window.innerHeight;
    to.style.width = `${width}px`;
    to.style.left = `${Math.max(8, Math.min(from.left, window.innerWidth - width - 8))}px`;
    to.style.top = below ? `${from.bottom + 6}px` : "auto";
    to.style.bottom = below ? "auto" : `${window.innerHeight - from.top + 6}px`;
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        popoverTarget={id}
        onClick={place}
        aria-label={`This answer took ${latency(times.total_ms)}. Show where the time went.`}
        className="group mt-1 flex h-6 items-center gap-2 rounded-sm text-xs text-muted tabular-nums hover:text-ink"
      >
        {latency(times.total_ms)}
        <span className="flex h-1 w-28 gap-px overflow-hidden rounded-full transition-[height] group-hover:h-1.5">
          {times.bars.map((bar) => (
            <span
              key={bar.part}
              className={`${PART_COLOUR[bar.part]} min-w-px`}
              style={{ flexGrow: Math.max(bar.ms, 1) }}
            />
          ))}
        </span>
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        className="fixed m-0 rounded-md border border-line bg-surface p-4 text-ink shadow-float"
      >
        <p className="text-sm font-semibold">
          {latency(times.total_ms)} <span className="font-normal text-muted">until the answer sounded</span>
        </p>
        <ul className="mt-3 flex flex-col gap-2">
          {times.bars.map((bar) => (
            <Part key={bar.part} bar={bar} />
          ))}
        </ul>
        <Link
          href={`/sessions/${encodeURIComponent(session)}?t=${times.began_s.toFixed(2)}`}
          className="mt-3 inline-block text-sm font-medium text-accent hover:underline"
        >
          Open the whole call
        </Link>
      </div>
    </>
  );
}

/** The figure alone. */
export function Took({ seconds }: { seconds: number }) {
  const figure = latency(seconds * 1000);
  return (
    <p title="Until the answer sounded" className="mt-1 h-6 text-xs leading-6 text-muted tabular-nums">
      <span className="sr-only">This answer took </span>
      {figure}
    </p>
  );
}

function Part({ bar }: { bar: Bar }) {
  return (
    <li className="grid grid-cols-[0.5rem_1fr_auto] items-baseline gap-x-2 text-xs">
      <span aria-hidden className={`size-2 rounded-full ${PART_COLOUR[bar.part]}`} />
      <span>
        <span className="font-medium">{bar.name}</span> <span className="text-muted">{bar.meaning}</span>
      </span>
      <span className="tabular-nums">{latency(bar.ms)}</span>
    </li>
  );
}
