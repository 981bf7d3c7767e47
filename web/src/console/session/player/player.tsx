import { useCallback, useMemo, useRef, useState } from "react";
import { usePeaks } from "@/console/session/data/session";
import type { Note, Turn } from "@/console/session/model/shapes";
import { beginning, beside, end, turnAt } from "@/console/session/model/turns";
import type { Voice } from "@/console/session/model/voices";
import { type Clock, useClock } from "@/console/session/player/clock";
import { Controls } from "@/console/session/player/controls";
import type { Score } from "@/console/session/player/draw";
import { useKeys } from "@/console/session/player/keys";
import { Sound } from "@/console/session/player/sound";
import { Timeline } from "@/console/session/player/timeline";
import { around, isWhole, reveal, type Window, whole, zoom } from "@/console/session/player/window";

interface Props {
  session: string;
  clock: Clock;
  live: boolean;
  turns: readonly Turn[];
  notes: readonly Note[];
  voices: readonly Voice[];
  link: () => string;
}

/** The call's sound and its clock. */
export function Player({ session, clock, live, turns, notes, voices, link }: Props) {
  const duration = useClock(clock, (one) => one.duration);
  const version = useHeld(live ? turns.filter((turn) => turn.how).length : 0, clock);
  const [silent, setSilent] = useState("");
  const peaks = usePeaks(session, version, pointsFor(duration));
  const [chosen, setChosen] = useState<Window | null>(null);
  const view = useMemo(() => chosen ?? whole(duration), [chosen, duration]);
  const onView = useCallback(
    (change: (view: Window) => Window) =>
      setChosen((before) => {
        const next = change(before ?? whole(clock.duration));
        return isWhole(next, clock.duration) ? null : next;
      }),
    [clock],
  );

  const onMove = useCallback(
    () =>
      setChosen((before) => before && reveal(before, clock.seconds, live ? Number.POSITIVE_INFINITY : clock.duration)),
    [clock, live],
  );
  const onZoom = useCallback(
    (factor: number | null) => {
      if (factor === null) setChosen(null);
      else onView((before) => zoom(before, factor, clock.seconds, clock.duration));
    },
    [clock, onView],
  );
  const onTurn = useCallback(
    (step: 1 | -1) => {
      const beginnings = turns.map(beginning);
      const found = turns[beside(beginnings, clock.seconds, step) ?? -1];
      if (found === undefined) return;
      clock.seek(beginning(found));
      setChosen((before) => before && around(beginning(found), end(found), clock.duration));
    },
    [clock, turns],
  );
  useKeys(clock, { onTurn, onZoom });

  const score = useMemo<Omit<Score, "view">>(
    () => ({ peaks: peaks.data ?? null, voices, turns, notes, end_s: duration }),
    [peaks.data, voices, turns, notes, duration],
  );
  return (
    <section aria-label="Player" className="flex flex-col gap-2 px-4 pt-2 pb-3 md:px-8">
      <Timeline clock={clock} score={score} view={view} onView={onView} onMove={onMove} />
      <Controls clock={clock} live={live} enlarged={chosen !== null} onZoom={onZoom} onTurn={onTurn} link={link} />
      <Sound key={session} session={session} version={version} clock={clock} onSilent={setSilent} />
      {silent ? (
        <p role="status" className="text-xs text-muted">
          {silent} The clock runs without it.
        </p>
      ) : null}
    </section>
  );
}

/** The value while the clock stands still: a recording is not changed under whoever listens. */
function useHeld(value: number, clock: Clock): number {
  const playing = useClock(clock, (one) => one.playing);
  const held = useRef(value);
  if (!playing) held.current = value;
  return held.current;
}

/** As many peaks as an enlarged call needs: twenty a second, within what the API gives. */
export function pointsFor(duration: number): number {
  const wanted = Math.ceil((duration * 20) / 1_000) * 1_000;
  return Math.min(Math.max(wanted, 1_000), 4_000);
}

/** The turn that is on, as the clock goes. */
export function useTurnAt(clock: Clock, beginnings: readonly number[]): number {
  return useClock(clock, (one) => turnAt(beginnings, one.seconds));
}
