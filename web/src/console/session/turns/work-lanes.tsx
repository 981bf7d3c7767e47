import type { Voice } from "@/console/session/model/voices";
import type { Work } from "@/console/session/model/work";
import { type Clock, useClock } from "@/console/session/player/clock";
import { Hand, Track } from "@/console/session/turns/track";
import { latency } from "@/format";
import { PART_COLOUR } from "@/ui/part-colours";

const STAGE = { stt: "STT", llm: "LLM", tts: "TTS" } as const;

interface Props {
  clock: Clock;
  works: readonly Work[];
  voices: readonly Voice[];
}

/** Everything that was done for a turn, also what nobody waited for: who spoke, and each job of each stage. */
export function WorkLanes({ clock, works, voices }: Props) {
  const now = useClock(clock, (one) => Math.round(one.duration * 4) / 4);
  const [from_s, to_s] = extent(works, voices, now);
  const spoken = (whose: Voice["whose"], name: string, colour: string) => {
    const own = voices.filter((voice) => voice.whose === whose);
    if (own.length === 0) return null;
    const pieces = own.map((one) => ({ from_s: one.from_s, to_s: one.to_s ?? now, queued_s: 0, colour }));
    return (
      <Lane
        name={name}
        what="speaks"
        took=""
        onGo={() => clock.seek(own[0]?.from_s ?? 0)}
        track={<Track from_s={from_s} to_s={to_s} pieces={pieces} />}
      />
    );
  };
  return (
    <div className="relative">
      <ol aria-label="All the work of this turn">
        {spoken("caller", "Caller", "bg-caller")}
        {works.map((work) => (
          <WorkLane key={work.key} work={work} now={now} from_s={from_s} to_s={to_s} clock={clock} />
        ))}
        {spoken("agent", "Agent", "bg-agent")}
      </ol>
      <div className="pointer-events-none absolute inset-y-0 right-28 left-20">
        <Hand clock={clock} from_s={from_s} to_s={to_s} />
      </div>
    </div>
  );
}

function extent(works: readonly Work[], voices: readonly Voice[], now: number): [number, number] {
  const from = Math.min(...works.map((one) => one.asked_s), ...voices.map((one) => one.from_s));
  const to = Math.max(...works.map((one) => one.ended_s ?? now), ...voices.map((one) => one.to_s ?? now));
  return [from, Math.max(to, from + 0.01)];
}

interface LaneProps {
  name: string;
  what: string;
  took: string;
  track: React.ReactNode;
  onGo: () => void;
  below?: React.ReactNode;
}

function WorkLane({
  work,
  now,
  from_s,
  to_s,
  clock,
}: {
  work: Work;
  now: number;
  from_s: number;
  to_s: number;
  clock: Clock;
}) {
  const end = work.ended_s ?? now;
  const began = work.began_s ?? (work.outcome === "pending" ? end : work.asked_s);
  const piece = {
    from_s: work.asked_s,
    to_s: end,
    queued_s: Math.max(0, began - work.asked_s),
    colour: PART_COLOUR[work.stage] ?? "bg-part-playout",
    faint: work.outcome !== "done",
  };
  const outcome = {
    pending: "still to come",
    done: "",
    stale: `not wanted any more: ${work.because}`,
    failed: `failed: ${work.because}`,
    expired: `too late: ${work.because}`,
  }[work.outcome];
  const sentences = [...work.retries.map((retry) => `tried again: ${retry}`), ...(outcome ? [outcome] : [])];
  return (
    <Lane
      name={STAGE[work.stage]}
      what={work.what}
      took={latency((end - work.asked_s) * 1000)}
      onGo={() => clock.seek(work.asked_s)}
      track={<Track from_s={from_s} to_s={to_s} pieces={[piece]} />}
      below={sentences.length ? sentences.join(" · ") : undefined}
    />
  );
}

function Lane({ name, what, took, track, onGo, below }: LaneProps) {
  return (
    <li>
      <button
        type="button"
        title="Go there"
        aria-label={`${name}, ${what}${took ? `: ${took}` : ""}. Go there`}
        onClick={onGo}
        className="grid w-full grid-cols-[5rem_minmax(0,1fr)_7rem] items-center rounded-sm py-1 text-left text-xs hover:bg-raised"
      >
        <span className="text-muted">{name}</span>
        {track}
        <span className="pl-2 text-right tabular-nums">{took}</span>
        <span className="col-start-2 text-2xs text-muted">{what === "speaks" ? null : what}</span>
      </button>
      {below ? <p className="pb-1 pl-20 text-xs text-warn">{below}</p> : null}
    </li>
  );
}
