import clsx from "clsx";
import {
  KEPT,
  present,
  type Second,
  STAGES,
  type StageRow,
  type Verdict,
  verdictOf,
  type Worker,
} from "@/console/queues/model";
import { Figure } from "@/console/shared/figure";
import { Spark } from "@/console/shared/spark";
import { count, span } from "@/format";
import { PART_TEXT } from "@/ui/part-colours";
import { Card, Chip } from "@/ui/surface";

const EDGES = { good: "", warn: "border-warn", bad: "border-bad" };
/** Read aloud when it changes; the sentence itself, with its figures, changes each second. */
const TOLD = { good: "", warn: "jobs wait long", bad: "no worker is running" };

/** One stage: its queue, its workers, its last minutes. Red where nobody works for it. */
export function StageCard({ row, seconds }: { row: StageRow; seconds: readonly Second[] }) {
  const verdict = verdictOf(row);
  const name = STAGES[row.stage];
  return (
    <Card
      title={name}
      className={EDGES[verdict.mood]}
      aside={<Chip mood={verdict.mood}>{count(present(row.workers).length, "worker")}</Chip>}
    >
      <p role="status" className="sr-only">
        {TOLD[verdict.mood] && `${name}: ${TOLD[verdict.mood]}`}
      </p>
      <Advice verdict={verdict} />
      <div className="grid grid-cols-2 gap-x-4 gap-y-1 px-4 pt-3">
        <Figure name="Waiting" of={row.queued} />
        <Figure name="Done a second" of={row.done_per_s === null ? "–" : row.done_per_s.toFixed(1)} />
        <Spark
          className={PART_TEXT[row.stage] ?? ""}
          slots={KEPT}
          atLeast={4}
          values={seconds.map((second) => second?.queued ?? null)}
          label={`${name}: jobs that waited, in the last five minutes`}
        />
        <Spark
          className="text-muted"
          slots={KEPT}
          values={seconds.map((second) => second?.done ?? null)}
          label={`${name}: jobs done a second, in the last five minutes`}
        />
        <Figure size="small" name="Running" of={row.running} />
        <Figure size="small" name="Oldest waits" of={row.queued ? span(row.oldest_s) : "–"} />
      </div>
      <Workers workers={row.workers} />
    </Card>
  );
}

function Advice({ verdict: { mood, words, command } }: { verdict: Verdict }) {
  if (mood === "good") return <p className="px-4 pt-3 text-sm text-muted">{words}</p>;
  return (
    <p className={clsx("px-4 py-3 text-sm", mood === "bad" ? "bg-bad-wash text-bad" : "bg-warn-wash text-warn")}>
      {words} {command ? <code className="whitespace-nowrap font-mono text-xs">{command}</code> : null}
    </p>
  );
}

const SHOWN = 8;

function Workers({ workers }: { workers: readonly Worker[] }) {
  if (workers.length === 0) return <div className="pb-4" />;
  const rest = workers.length - SHOWN;
  return (
    <ul className="mt-3 border-t border-line py-2 text-xs">
      {workers.slice(0, SHOWN).map((worker) => (
        <li key={worker.name} className="flex items-baseline gap-3 px-4 py-1">
          <span className="min-w-0 flex-1 truncate font-mono" title={worker.name}>
            {worker.name}
          </span>
          <WorkerState {...worker} />
        </li>
      ))}
      {rest > 0 ? <li className="px-4 py-1 text-muted">and {rest} more</li> : null}
    </ul>
  );
}

function WorkerState({ jobs, idle_s, seen_s }: Worker) {
  if (present([{ name: "", jobs, idle_s, seen_s }]).length === 0)
    return <span className="whitespace-nowrap text-bad">not heard of for {span(seen_s)}</span>;
  if (jobs > 0) return <span className="whitespace-nowrap tabular-nums">{count(jobs, "job")}</span>;
  return (
    <span className="whitespace-nowrap text-muted tabular-nums">
      {idle_s === null ? "no job yet" : `idle for ${span(idle_s)}`}
    </span>
  );
}
