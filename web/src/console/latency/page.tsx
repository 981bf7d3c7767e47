import { useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { Chart } from "@/console/latency/chart";
import { type Told, useLatency } from "@/console/latency/data";
import { searchOf, type View, viewOf } from "@/console/latency/model";
import { Parts } from "@/console/latency/parts";
import { Slowest } from "@/console/latency/slowest";
import { useAgentNames } from "@/console/shared/agents";
import { Figure } from "@/console/shared/figure";
import { LiveMark } from "@/console/shared/live-mark";
import { Segmented } from "@/console/shared/segmented";
import { count, latency, moment } from "@/format";
import { Select } from "@/ui/field";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";
import { Card } from "@/ui/surface";

const CHOICES = [
  { value: "15m", name: "15 min" },
  { value: "1h", name: "1 hour" },
  { value: "24h", name: "24 hours" },
] as const;

/** How long callers wait for answers, and for what. */
export default function LatencyPage() {
  const [, go] = useLocation();
  const view = viewOf(useSearch());
  const agents = useAgentNames();
  const { told, away, stream } = useLatency(view);
  const { phase, restart } = stream;
  const broken = told === null && (away || phase.state === "waiting" || phase.state === "refused");
  const change = (part: Partial<View>) => go(`/latency${searchOf({ ...view, ...part })}`, { replace: true });
  const known = [...new Set([...agents, view.agent].filter(Boolean))];
  return (
    <>
      <PageHead title="Latency" lead="From the caller's last word to the agent's first sound.">
        <LiveMark phase={phase} restart={restart} />
        <Select label="Agent" hideLabel value={view.agent} onChange={(event) => change({ agent: event.target.value })}>
          <option value="">Every agent</option>
          {known.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Segmented label="How far back" value={view.span} choices={CHOICES} onChange={(span) => change({ span })} />
      </PageHead>
      <div className="@container flex flex-col gap-4 px-4 pb-8 md:px-8">
        {told ? <Shown told={told} away={away} /> : null}
        {told === null && !broken ? <Loading lines={8} /> : null}
        {broken ? (
          <Failed title="The latencies can't be read" retry={restart}>
            {phase.state === "waiting" ? phase.because : phase.state === "refused" ? phase.error.message : away}
          </Failed>
        ) : null}
      </div>
    </>
  );
}

function Shown({ told, away }: { told: Told; away: string }) {
  const [chosenAt, setChosenAt] = useState("");
  const { total, buckets, unread } = told;
  if (total === null)
    return (
      <Card>
        <Empty
          title="Nothing was answered in this time"
          action={
            <Link href="/" className="font-medium text-accent">
              Talk to the agent
            </Link>
          }
        >
          {unread
            ? `${count(unread, "stored session")} are still being read.`
            : "Choose a longer time, or another agent."}
        </Empty>
      </Card>
    );
  const found = buckets.findIndex(({ from_at }) => from_at === chosenAt);
  const chosen = found === -1 ? null : found; // others come, and it stays chosen
  const shown = buckets[found] ?? total;
  return (
    <>
      {away ? (
        <p role="alert" className="rounded-md bg-bad-wash px-4 py-3 text-sm text-bad">
          These figures are old: {away}
        </p>
      ) : null}
      <Card>
        <div className="flex flex-wrap items-baseline gap-x-8 gap-y-2 px-4 pt-4 pb-5">
          <Figure size="large" name="Median" of={latency(shown.p50_ms)} />
          <Figure size="large" name="95th percentile" of={latency(shown.p95_ms)} />
          <p className="ml-auto text-sm text-muted tabular-nums">
            {count(shown.count, "answer")}
            {shown === total ? null : ` from ${moment(shown.from_at)} on`}
          </p>
        </div>
        <Chart
          told={told}
          chosen={chosen}
          onChoose={(index) => setChosenAt(index === null ? "" : (buckets[index]?.from_at ?? ""))}
        />
      </Card>
      <Card title="Where the time went" aside={<span className="text-xs text-muted">median, and p95</span>}>
        <div className="pt-2">
          <Parts told={told} shown={shown} />
        </div>
      </Card>
      <Card title="The slowest turns">
        <Slowest turns={told.slowest} />
      </Card>
      {unread ? <p className="text-xs text-muted">{count(unread, "stored session")} are still being read.</p> : null}
    </>
  );
}
