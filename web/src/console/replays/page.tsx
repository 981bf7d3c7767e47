import { Layers } from "lucide-react";
import { Link, useParams } from "wouter";
import { Bar } from "@/console/replay/job-status";
import { isOver, type Job, useJobs } from "@/console/replay/jobs";
import { OneJob } from "@/console/replays/one-job";
import { aboutOf, kindOf, outcomeOf } from "@/console/replays/words";
import { decoded, fullMoment, moment } from "@/format";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";
import { Chip, type Mood } from "@/ui/surface";

/** `/replays/:job?`: what was asked of the background, and one of them. */
export default function ReplaysPage() {
  const { job = "" } = useParams();
  return job ? <OneJob key={job} id={decoded(job)} /> : <AllJobs />;
}

function AllJobs() {
  const { data, error, refetch } = useJobs();
  return (
    <>
      <PageHead
        title="Replays"
        lead="Calls replayed, taken in and deleted, in the background. Each is kept for a week."
      >
        <Link href="/erasures" className="mr-2 text-sm font-medium text-accent hover:underline">
          Proofs of deletion
        </Link>
        <Link
          href="/replays/new"
          className="inline-flex h-10 items-center gap-2 rounded-md bg-accent px-4 text-sm font-medium text-accent-ink hover:brightness-110"
        >
          <Layers aria-hidden className="size-4" />
          Replay many calls
        </Link>
      </PageHead>
      <div className="px-4 pb-8 md:px-8">
        {data && !data.served ? (
          <p role="status" className="mb-4 rounded-md bg-warn-wash px-4 py-3 text-sm text-warn">
            No jobs worker is running: what is asked for waits. Start one: <code>antiphon worker jobs</code>
          </p>
        ) : null}
        {data === undefined && error ? (
          <Failed title="The jobs can’t be read" retry={() => void refetch()}>
            {error.message}
          </Failed>
        ) : null}
        {data === undefined && !error ? <Loading lines={6} label="Reading the jobs" /> : null}
        {data?.jobs.length === 0 ? (
          <Empty title="Nothing was replayed yet" action={<Link href="/sessions">To the sessions</Link>}>
            Open a call that is over and fork it from one of its turns, or replay many calls with another setting.
          </Empty>
        ) : null}
        {data?.jobs.length ? (
          <ul aria-label="Jobs" className="divide-y divide-line rounded-md border border-line bg-surface">
            {data.jobs.map((job) => (
              <Line key={job.id} job={job} />
            ))}
          </ul>
        ) : null}
      </div>
    </>
  );
}

const MOODS: Record<Job["state"], Mood> = {
  waiting: "neutral",
  running: "accent",
  done: "good",
  failed: "bad",
  stopped: "neutral",
};

function Line({ job }: { job: Job }) {
  return (
    <li className="relative flex flex-col gap-1 px-4 py-3 hover:bg-raised">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Link
          href={`/replays/${job.id}`}
          className="text-sm font-semibold outline-none after:absolute after:inset-0 focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
        >
          {kindOf(job)}
        </Link>
        <Chip mood={MOODS[job.state]}>{job.state === "failed" ? "failed" : outcomeOf(job)}</Chip>
        <span className="ml-auto text-xs text-muted tabular-nums" title={fullMoment(job.asked_at)}>
          {moment(job.asked_at)} · {job.by}
        </span>
      </div>
      <p className="truncate text-sm text-muted">{aboutOf(job)}</p>
      {job.state === "failed" ? <p className="line-clamp-2 text-sm break-words text-bad">{job.error}</p> : null}
      {isOver(job) ? null : <Bar job={job} label={kindOf(job)} />}
    </li>
  );
}
