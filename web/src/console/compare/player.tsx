import { Pause, Play } from "lucide-react";
import { type PointerEvent, useEffect, useMemo, useRef, useState } from "react";
import { BASE } from "@/api/client";
import type { Comparison } from "@/console/compare/data";
import { type Heard, TwoSounds } from "@/console/compare/two-sounds";
import { Wave } from "@/console/compare/wave";
import { addressOf, loadable } from "@/console/session/data/read";
import { usePeaks } from "@/console/session/data/session";
import { clockTime, toldSecond } from "@/console/session/model/clock-time";
import { type Clock, useClock } from "@/console/session/player/clock";
import { useKeys } from "@/console/session/player/keys";
import { pointsFor } from "@/console/session/player/player";
import { Segmented } from "@/console/shared/segmented";
import { IconButton } from "@/ui/button";

const CHOICES = [
  { value: "first", name: "A" },
  { value: "second", name: "B" },
  { value: "both", name: "Both" },
] as const;

interface Props {
  found: Comparison;
  clock: Clock;
  /** Where they part, on the clock; null: nowhere. */
  parting: number | null;
  onTurn: (step: 1 | -1) => void;
}

/** Both recordings on one clock: heard one after the other at the same place, or together. */
export function TwoPlayers({ found, clock, parting, onTurn }: Props) {
  const rows = [found.first.row, found.second.row] as const;
  const duration = Math.max(rows[0].duration_s, rows[1].duration_s);
  const [heard, setHeard] = useState<Heard>("second");
  const silent = useSounds(clock, rows[0].session, rows[1].session, heard);
  const playing = useClock(clock, (one) => one.playing);
  const Icon = playing ? Pause : Play;
  useEffect(() => clock.setDuration(duration), [clock, duration]);
  const keys = useMemo(() => ({ onTurn, onZoom: () => {} }), [onTurn]);
  useKeys(clock, keys);
  return (
    <section aria-label="Both recordings" className="flex flex-col gap-2 px-4 py-3 md:px-8">
      <Lanes clock={clock} duration={duration} parting={parting}>
        <Lane name="A" session={rows[0].session} duration={rows[0].duration_s} whole={duration} />
        <Lane name="B" session={rows[1].session} duration={rows[1].duration_s} whole={duration} />
      </Lanes>
      <div className="flex flex-wrap items-center gap-3">
        <IconButton label={playing ? "Pause (space)" : "Play (space)"} tone="primary" onClick={() => clock.toggle()}>
          <Icon aria-hidden className="size-4" />
        </IconButton>
        <Times clock={clock} />
        <div className="ml-auto flex items-center gap-2">
          <span aria-hidden className="text-xs text-muted">
            Hear
          </span>
          <Segmented label="Which is heard" value={heard} choices={CHOICES} onChange={setHeard} />
        </div>
      </div>
      {silent ? (
        <p role="status" className="text-xs text-muted">
          {silent}
        </p>
      ) : null}
    </section>
  );
}

/** Both sounds, on the clock once both are there; answers why there is none, in a sentence. */
function useSounds(clock: Clock, first: string, second: string, heard: Heard): string {
  const [silent, setSilent] = useState("");
  const sounds = useRef<TwoSounds | null>(null);
  const wanted = useRef(heard);
  useEffect(() => {
    const [one, other] = [playerOf(first), playerOf(second)];
    const both = new TwoSounds(one, other);
    both.hear(wanted.current);
    sounds.current = both;
    const ready = () => {
      if (both.readyState > 0) clock.attach(both);
    };
    const failed = () => {
      clock.attach(null);
      setSilent("The sound of one of them can’t be loaded, or is not kept any more. The clock runs without it.");
    };
    for (const player of [one, other]) {
      player.addEventListener("loadedmetadata", ready);
      player.addEventListener("error", failed);
    }
    return () => {
      clock.pause();
      clock.attach(null);
      for (const player of [one, other]) {
        player.removeEventListener("loadedmetadata", ready);
        player.removeEventListener("error", failed);
        player.pause();
        player.removeAttribute("src");
        player.load(); // else it goes on loading
      }
    };
  }, [clock, first, second]);
  useEffect(() => {
    wanted.current = heard;
    sounds.current?.hear(heard);
  }, [heard]);
  return silent;
}

function playerOf(session: string): HTMLAudioElement {
  const player = new Audio();
  if (BASE !== window.location.origin) player.crossOrigin = "anonymous";
  player.preload = "metadata";
  player.src = loadable(addressOf(session, "/audio.wav"));
  return player;
}

interface LanesProps {
  clock: Clock;
  duration: number;
  parting: number | null;
  children: React.ReactNode;
}

function Lanes({ clock, duration, parting, children }: LanesProps) {
  const seconds = useClock(clock, (one) => Math.round(one.seconds * 50) / 50);
  const playing = useClock(clock, (one) => one.playing);
  const second = toldSecond(seconds, playing);
  const percent = (at: number) => `${(100 * at) / Math.max(duration, 1e-6)}%`;
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons !== 1) return;
    if (event.type === "pointerdown") event.currentTarget.setPointerCapture(event.pointerId);
    const { left, width } = event.currentTarget.getBoundingClientRect();
    clock.seek(((event.clientX - left) / Math.max(width, 1)) * duration);
  };
  return (
    <div className="relative pl-6">
      {children}
      <div
        role="slider"
        tabIndex={0}
        aria-label="Where both are looked at"
        aria-valuemin={0}
        aria-valuemax={Math.round(duration)}
        aria-valuenow={second}
        aria-valuetext={`${clockTime(second, 0)} of ${clockTime(duration, 0)}`}
        onPointerDown={drag}
        onPointerMove={drag}
        className="absolute inset-y-0 right-0 left-6 cursor-pointer touch-pan-y"
      >
        {parting === null ? null : (
          <span
            aria-hidden
            title="Here they part"
            className="absolute inset-y-0 border-l-2 border-dashed border-warn"
            style={{ left: percent(Math.min(parting, duration)) }}
          />
        )}
        <span
          aria-hidden
          className="absolute inset-y-0 w-0.5 -translate-x-1/2 bg-ink"
          style={{ left: percent(seconds) }}
        />
      </div>
    </div>
  );
}

interface LaneProps {
  name: string;
  session: string;
  duration: number;
  whole: number;
}

function Lane({ name, session, duration, whole }: LaneProps) {
  const peaks = usePeaks(session, 0, pointsFor(duration));
  return (
    <div className="relative">
      <span aria-hidden className="absolute top-1/2 -left-6 -translate-y-1/2 text-xs font-semibold text-muted">
        {name}
      </span>
      <Wave peaks={peaks.data ?? null} seconds={whole} />
    </div>
  );
}

function Times({ clock }: { clock: Clock }) {
  const seconds = useClock(clock, (one) => clockTime(one.seconds));
  const duration = useClock(clock, (one) => clockTime(one.duration));
  return (
    <span className="text-sm tabular-nums">
      {seconds} <span className="text-muted">/ {duration}</span>
    </span>
  );
}
