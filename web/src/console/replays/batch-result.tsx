import clsx from "clsx";
import { Link } from "wouter";
import type { Batch, BatchRow, Two, Verdict } from "@/console/replay/jobs";
import { callAt, comparison } from "@/console/replay/links";
import { Plot } from "@/console/replays/plot";
import { Figure } from "@/console/shared/figure";
import { count, latency } from "@/format";
import { Empty } from "@/ui/state";
import { Card, Chip, type Mood } from "@/ui/surface";

/** What got better and what worse: all together, how long was waited, and call by call. */
export function BatchResult({ batch }: { batch: Batch }) {
  const { figures, sessions, waits_ms } = batch;
  if (sessions.length === 0)
    return (
      <Card>
        <Empty title="No call was like that" action={<Link href="/replays/new">Choose others</Link>}>
          Only calls that are over are replayed, and forks are left out.
        </Empty>
      </Card>
    );
  return (
    <>
      <Card>
        <div className="grid grid-cols-2 gap-x-6 gap-y-4 p-4 sm:grid-cols-4">
          <Figure name="Better" of={<span className="text-good">{figures.better}</span>} />
          <Figure name="Worse" of={<span className={clsx(figures.worse && "text-bad")}>{figures.worse}</span>} />
          <Figure name="The same" of={figures.same} />
          <Figure name="Not replayed" of={figures.unreplayed} />
          <BeforeAfter name="Median wait" of={figures.p50_ms} waits />
          <BeforeAfter name="95th percentile" of={figures.p95_ms} waits />
          <BeforeAfter name="Interrupted" of={figures.interrupted} />
          {figures.cut_ins ? <BeforeAfter name="Cut in upon" of={figures.cut_ins} /> : null}
          <BeforeAfter name="Failed" of={figures.failed} />
          {figures.completion_tokens?.some(Boolean) ? (
            <BeforeAfter name="Tokens written" of={figures.completion_tokens} />
          ) : null}
          {figures.wer_to_reference?.some((one) => one !== null) ? (
            <BeforeAfter name="Misheard words" of={figures.wer_to_reference} shares />
          ) : null}
        </div>
        {figures.wer ? (
          <p className="px-4 pb-3 text-xs text-muted">
            {(100 * figures.wer).toFixed(1)} % of the callers’ words are others than as recorded.
          </p>
        ) : null}
        {batch.warnings?.map((warning) => (
          <p key={warning} className="px-4 pb-3 text-xs text-warn">
            {warning}
          </p>
        ))}
        {batch.more ? (
          <p className="px-4 pb-3 text-xs text-muted">More calls are like that; these are the latest of them.</p>
        ) : null}
      </Card>
      {waits_ms[0].length + waits_ms[1].length > 0 ? (
        <Card title="How long was waited" aside={<span className="text-xs text-muted">share of answers within</span>}>
          <Plot before={waits_ms[0]} after={waits_ms[1]} />
        </Card>
      ) : null}
      <Card title={count(sessions.length, "call")}>
        <ul aria-label="Calls" className="divide-y divide-line">
          {[...sessions].sort(byVerdict).map((row) => (
            <Line key={row.session} row={row} />
          ))}
        </ul>
      </Card>
    </>
  );
}

const ORDER: Record<Verdict, number> = { worse: 0, better: 1, same: 2 };

function byVerdict(one: BatchRow, other: BatchRow): number {
  return rank(one) - rank(other);
}

function rank({ verdict }: BatchRow): number {
  return verdict === null ? 3 : ORDER[verdict];
}

function BeforeAfter({ name, of, waits, shares }: { name: string; of: Two; waits?: boolean; shares?: boolean }) {
  const shown = (value: number | null) => {
    if (waits) return latency(value);
    if (value === null) return "–";
    return shares ? `${(100 * value).toFixed(1)} %` : value.toLocaleString("en");
  };
  return (
    <Figure
      name={name}
      of={
        <span className="whitespace-nowrap">
          <span className="text-sm font-normal text-muted">{shown(of[0])} → </span>
          {shown(of[1])}
        </span>
      }
    />
  );
}

const MOODS: Record<Verdict, Mood> = { better: "good", worse: "bad", same: "neutral" };

function Line({ row }: { row: BatchRow }) {
  const { figures, verdict } = row;
  const [was, now] = figures?.p50_ms ?? [null, null];
  return (
    <li className="grid grid-cols-[4.5rem_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-2.5 text-sm">
      <span>{verdict ? <Chip mood={MOODS[verdict]}>{verdict}</Chip> : <Chip mood="warn">left out</Chip>}</span>
      <span className="min-w-0">
        <Link href={callAt(row.session)} className="block truncate font-medium text-accent hover:underline">
          {row.session}
        </Link>
        <span className="block truncate text-xs text-muted" title={row.error ?? row.why ?? undefined}>
          {row.error ?? (row.why || "decided as before")}
        </span>
      </span>
      <span className="flex flex-col items-end gap-0.5 text-xs tabular-nums">
        {figures ? (
          <span>
            <span className="text-muted">{latency(was)} →</span> {latency(now)}
          </span>
        ) : null}
        {row.fork ? (
          <Link href={comparison(row.session, row.fork)} className="font-medium text-accent hover:underline">
            Compare
          </Link>
        ) : null}
      </span>
    </li>
  );
}
