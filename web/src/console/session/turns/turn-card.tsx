import clsx from "clsx";
import { GitFork, Play } from "lucide-react";
import { memo, useMemo, useState } from "react";
import { clockTime } from "@/console/session/model/clock-time";
import { ending, explain } from "@/console/session/model/explain";
import type { Note, Turn } from "@/console/session/model/shapes";
import { beginning } from "@/console/session/model/turns";
import type { Voice } from "@/console/session/model/voices";
import type { Work } from "@/console/session/model/work";
import type { Clock } from "@/console/session/player/clock";
import { Cut } from "@/console/session/turns/cut";
import { Notes } from "@/console/session/turns/notes";
import { Pending } from "@/console/session/turns/pending";
import { Transcript } from "@/console/session/turns/transcript";
import { Waterfall } from "@/console/session/turns/waterfall";
import { WorkLanes } from "@/console/session/turns/work-lanes";
import { latency } from "@/format";
import { Button } from "@/ui/button";
import { Chip, type Mood } from "@/ui/surface";

interface Props {
  clock: Clock;
  turn: Turn;
  all: readonly Turn[];
  works: readonly Work[];
  voices: readonly Voice[];
  agent: string;
  /** The clock stands in it. */
  current: boolean;
  onFork: ((turn: number) => void) | null;
}

/** One turn: how long it took and why, in words; what was heard of it, where it was cut; where the time went; what was said. */
export const TurnCard = memo(function TurnCard({ clock, turn, all, works, voices, agent, current, onFork }: Props) {
  const [open, setOpen] = useState(false);
  const why = useMemo(() => explain(turn, all), [turn, all]);
  const how = ending(turn);
  const cut = turn.notes.some(({ kind }) => kind === "interruption");
  return (
    <article
      id={`turn-${turn.turn}`}
      aria-labelledby={`turn-${turn.turn}-name`}
      aria-current={current || undefined}
      className={clsx("rounded-md border bg-surface", current ? "border-accent shadow-card" : "border-line")}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-3">
        <h2 id={`turn-${turn.turn}-name`} className="text-sm font-semibold">
          Turn {turn.turn}
        </h2>
        {turn.total_ms === null || turn.bars.length === 0 ? null : <Chip>{latency(turn.total_ms)}</Chip>}
        <State turn={turn} />
        <div className="ml-auto flex items-center">
          {onFork ? (
            <Button
              size="small"
              tone="quiet"
              icon={<GitFork aria-hidden className="size-3.5" />}
              aria-label={`Fork from here: turn ${turn.turn}`}
              onClick={() => onFork(turn.turn)}
            >
              <span className="max-sm:sr-only">Fork from here</span>
            </Button>
          ) : null}
          <Button
            size="small"
            tone="quiet"
            className="tabular-nums"
            icon={<Play aria-hidden className="size-3.5" />}
            aria-label={`Play turn ${turn.turn} from ${clockTime(beginning(turn))}`}
            onClick={() => {
              clock.seek(beginning(turn));
              void clock.play();
            }}
          >
            {clockTime(beginning(turn))}
          </Button>
        </div>
      </header>
      <div className="flex flex-col gap-3 px-4 pt-1 pb-4">
        {why || (how && !cut) ? (
          <div className="max-w-prose text-sm">
            {why ? <p className="font-medium">{why.headline}</p> : null}
            {why?.because.length ? <p className="text-muted">{unbroken(why.because.join(" "))}</p> : null}
            {how && !cut ? <p className={why ? "mt-1 text-muted" : "text-muted"}>{how}.</p> : null}
          </div>
        ) : null}
        <Cut turn={turn} all={all} />
        {turn.bars.length ? <Waterfall turn={turn} clock={clock} /> : null}
        <Transcript turn={turn} clock={clock} agent={agent} />
        <Notes notes={turn.notes.map((note) => shortened(note, how))} clock={clock} />
        <Pending pending={turn.pending} clock={clock} />
        {works.length ? (
          <details onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary className="w-fit rounded-sm text-xs text-muted hover:text-ink">
              All the work of this turn ({works.length})
            </summary>
            {open ? (
              <div className="pt-2">
                <WorkLanes clock={clock} works={works} voices={voices} />
              </div>
            ) : null}
          </details>
        ) : null}
      </div>
    </article>
  );
});

/** No line ends between a figure and its unit. */
function unbroken(text: string): string {
  return text.replace(/(\d) (m?s|%)(?!\w)/g, "$1\u00a0$2");
}

/** What was heard of it stands above already. */
function shortened(note: Note, how: string): Note {
  return note.kind === "interruption" && how ? { ...note, text: `${how}.` } : note;
}

const STATES: Record<string, [text: string, mood: Mood]> = {
  listening: ["listening", "accent"],
  thinking: ["thinking", "accent"],
  speaking: ["speaking", "accent"],
  interrupted: ["interrupted", "warn"],
  dropped: ["no answer", "neutral"],
  failed: ["failed", "bad"],
  expired: ["too late", "bad"],
};

const REASONS: Record<string, [text: string, mood: Mood]> = {
  session: ["cut off", "neutral"],
  taken_back: ["restarted", "neutral"],
};

function State({ turn }: { turn: Turn }) {
  const shown: [string, Mood] | undefined = REASONS[turn.reason] ?? STATES[turn.how];
  return shown === undefined ? null : <Chip mood={shown[1]}>{shown[0]}</Chip>;
}
