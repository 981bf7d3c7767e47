import { queuedMs } from "@/console/session/model/explain";
import type { Bar, Turn } from "@/console/session/model/shapes";
import type { Clock } from "@/console/session/player/clock";
import { Hand, Track } from "@/console/session/turns/track";
import { latency } from "@/format";
import { PART_COLOUR } from "@/ui/part-colours";

/** Where a turn's time went: a row for each part, where it passed; the first of each, in another colour, waiting for a worker. */
export function Waterfall({ turn, clock }: { turn: Turn; clock: Clock }) {
  const from_s = turn.began_s;
  const to_s = turn.began_s + (turn.total_ms ?? 0) / 1000;
  const longest = Math.max(...turn.bars.map((bar) => bar.ms));
  return (
    <div className="relative">
      <ol aria-label={`Where the time of turn ${turn.turn} went`}>
        {turn.bars.map((bar) => (
          <Row
            key={bar.part}
            bar={bar}
            longest={bar.ms === longest}
            onGo={() => clock.seek(from_s + bar.begins_s)}
            track={
              <Track
                from_s={from_s}
                to_s={to_s}
                pieces={[
                  {
                    from_s: from_s + bar.begins_s,
                    to_s: from_s + bar.begins_s + bar.seconds,
                    queued_s: bar.queued_s,
                    colour: PART_COLOUR[bar.part] ?? "bg-part-playout",
                  },
                ]}
              />
            }
          />
        ))}
      </ol>
      <div className="pointer-events-none absolute inset-y-0 right-28 left-20">
        <Hand clock={clock} from_s={from_s} to_s={to_s} />
      </div>
    </div>
  );
}

interface RowProps {
  bar: Bar;
  longest: boolean;
  track: React.ReactNode;
  onGo: () => void;
}

function Row({ bar, longest, track, onGo }: RowProps) {
  const waited = queuedMs(bar);
  return (
    <li>
      <button
        type="button"
        title={`${bar.meaning}. Go there`}
        onClick={onGo}
        className="grid w-full grid-cols-[5rem_minmax(0,1fr)_7rem] items-center rounded-sm py-1 text-left text-xs hover:bg-raised"
      >
        <span className={longest ? "font-semibold" : "text-muted"}>{bar.name} </span>
        {track}
        <span className="pl-2 text-right tabular-nums">
          <span className={longest ? "font-semibold" : ""}>{latency(bar.ms)} </span>
          {waited ? (
            <span className="flex items-center justify-end gap-1 whitespace-nowrap text-2xs text-muted">
              <span aria-hidden className="size-1.5 rounded-full bg-part-queued" />
              {latency(waited)} queued
            </span>
          ) : null}
        </span>
      </button>
    </li>
  );
}
