import { useVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import { type KeyboardEvent, useEffect, useMemo, useRef } from "react";
import { place } from "@/console/session/model/buffer";
import { clockTime } from "@/console/session/model/clock-time";
import type { Line, LogEvent } from "@/console/session/model/shapes";
import { step } from "@/console/shared/keys";

const ROW = 48;

interface Props {
  events: readonly LogEvent[];
  chosen: number | null;
  now: number;
  inStep: boolean;
  onChoose: (seq: number) => void;
}

/** Events as a list of which only what is in view is there: ten thousand are as smooth as ten. */
export function EventList({ events, chosen, now, inStep, onChoose }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: events.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  /** The last that had happened by `now`; -1 for none. */
  const here = useMemo(() => place(events, now + 1) - 1, [events, now]);

  useEffect(() => {
    if (inStep && here >= 0) virtual.scrollToIndex(here, { align: "auto" });
  }, [here, inStep, virtual]);

  const press = (key: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((frame.current?.clientHeight ?? ROW) / ROW) - 1);
    const index = step(key.key, here, events.length, page);
    const event = index === null ? undefined : events[index];
    if (index === null || event === undefined) return;
    key.preventDefault();
    key.stopPropagation();
    virtual.scrollToIndex(index, { align: "auto" });
    onChoose(event.seq);
  };
  return (
    <div
      ref={frame}
      role="listbox"
      aria-label="Events"
      tabIndex={0}
      data-keys="own"
      aria-activedescendant={here >= 0 ? `event-${events[here]?.seq}` : undefined}
      onKeyDown={press}
      className="min-h-0 flex-1 overflow-y-auto border-t border-line"
    >
      <div className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const event = events[item.index];
          if (event === undefined) return null;
          return (
            <Row
              key={event.seq}
              event={event}
              top={item.start}
              chosen={event.seq === chosen}
              now={item.index === here}
              onChoose={onChoose}
            />
          );
        })}
      </div>
    </div>
  );
}

const STYLES: Record<Line["style"], string> = {
  user: "text-caller",
  agent: "text-agent",
  stage: "text-ink",
  system: "text-muted",
  trouble: "text-bad",
};

interface RowProps {
  event: LogEvent;
  top: number;
  chosen: boolean;
  now: boolean;
  onChoose: (seq: number) => void;
}

function Row({ event, top, chosen, now, onChoose }: RowProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys, as a list box does
    <div
      id={`event-${event.seq}`}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      onClick={() => onChoose(event.seq)}
      className={clsx(
        "absolute inset-x-0 top-0 grid cursor-pointer grid-cols-[4.5rem_minmax(0,1fr)] gap-x-2 border-b border-line border-l-2 px-3 py-1 text-sm hover:bg-raised",
        now ? "border-l-accent bg-accent-wash" : "border-l-transparent",
      )}
      style={{ height: ROW, transform: `translateY(${top}px)` }}
    >
      <span className="text-xs text-muted tabular-nums">
        {clockTime(event.at_s, 2)}
        <span className="block text-2xs">#{event.seq}</span>
      </span>
      <span className="min-w-0">
        <span className="block truncate">
          <span className={clsx("font-medium", STYLES[event.line.style])}>{event.line.who}</span> {event.line.text}
        </span>
        <span className="block truncate text-2xs text-muted">
          {event.type}
          {event.turn === null ? "" : ` · turn ${event.turn}`}
          {event.line.detail ? ` · ${event.line.detail}` : ""}
        </span>
      </span>
    </div>
  );
}
