import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Turn } from "@/console/session/model/shapes";
import { byTurn } from "@/console/session/model/turns";
import type { Voice } from "@/console/session/model/voices";
import type { Work } from "@/console/session/model/work";
import type { Clock } from "@/console/session/player/clock";
import { TurnCard } from "@/console/session/turns/turn-card";
import { Empty } from "@/ui/state";

interface Props {
  clock: Clock;
  turns: readonly Turn[];
  works: readonly Work[];
  voices: readonly Voice[];
  agent: string;
  /** Index of the turn in which the clock stands, -1 before the first. */
  current: number;
  /** Pixels that the player covers above. */
  covered: number;
  live: boolean;
  /** Replays the call from a turn on; null: it can't be. */
  onFork: ((turn: number) => void) | null;
}

/** Every turn of the call; only those near the window are there. The one that is on is brought into view. */
export function TurnList({ clock, turns, works, voices, agent, current, covered, live, onFork }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const top = useTop(list, turns.length > 0);
  const virtual = useWindowVirtualizer({
    count: turns.length,
    estimateSize: () => 320,
    overscan: 3,
    gap: 12,
    scrollMargin: top,
    scrollPaddingStart: covered + 12,
    getItemKey: (index) => turns[index]?.turn ?? index,
  });
  const workOf = useMemo(() => byTurn(works), [works]);
  const voicesOf = useMemo(() => byTurn(voices), [voices]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only another turn is a reason to scroll
  useEffect(() => {
    const turn = turns[current];
    if (turn === undefined || seen(turn, covered)) return;
    virtual.scrollToIndex(current, { align: "start" });
  }, [current]);

  if (turns.length === 0)
    return (
      <Empty title="Nothing was said yet">
        {live ? "Turns appear here as they are spoken." : "The call ended before anybody spoke."}
      </Empty>
    );
  return (
    <div ref={list} className="relative" style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) => {
        const turn = turns[item.index];
        if (turn === undefined) return null;
        return (
          <div
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${item.start - top}px)` }}
          >
            <TurnCard
              clock={clock}
              turn={turn}
              all={turns}
              works={workOf.get(turn.turn) ?? NONE}
              voices={voicesOf.get(turn.turn) ?? NONE}
              agent={agent}
              current={item.index === current}
              onFork={onFork}
            />
          </div>
        );
      })}
    </div>
  );
}

const NONE: never[] = [];

/** Where on the page something begins; what stands above it may grow. */
function useTop(element: RefObject<HTMLElement | null>, there: boolean): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const around = there ? element.current?.parentElement : null;
    if (!around) return;
    const look = () => setTop(Math.round((element.current?.getBoundingClientRect().top ?? 0) + window.scrollY));
    look();
    const observer = new ResizeObserver(look);
    observer.observe(around);
    return () => observer.disconnect();
  }, [element, there]);
  return top;
}

/** Its card begins within what is seen of the page. */
function seen(turn: Turn, covered: number): boolean {
  const rect = document.getElementById(`turn-${turn.turn}`)?.getBoundingClientRect();
  return rect !== undefined && rect.top >= covered - 40 && rect.top < window.innerHeight - 160;
}
