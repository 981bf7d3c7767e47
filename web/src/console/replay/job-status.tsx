import clsx from "clsx";
import { CircleAlert, CircleCheck, CircleSlash } from "lucide-react";
import type { ReactNode } from "react";
import { isOver, type Job, shareOf, useJob, useStop } from "@/console/replay/jobs";
import { sentence } from "@/format";
import { Button } from "@/ui/button";
import { Failed, Loading } from "@/ui/state";

interface Props {
  id: string;
  /** What it is called while it goes on: "The fork is being made". */
  title: string;
  /** Once it is done. */
  children: (job: Job) => ReactNode;
}

/** A job, from being asked for to what came of it. */
export function JobStatus({ id, title, children }: Props) {
  const { data: job, error, refetch } = useJob(id);
  if (job === undefined)
    return error ? (
      <Failed title="The job can’t be read" retry={() => void refetch()}>
        {error.message}
      </Failed>
    ) : (
      <Loading lines={2} label="Reading the job" />
    );
  return (
    <div className="flex flex-col gap-3" aria-live="polite">
      {isOver(job) ? <End job={job} /> : <Under job={job} title={title} />}
      {job.state === "done" ? children(job) : null}
    </div>
  );
}

/** What came of it was written by quite another version. */
export function Unread() {
  return <p className="text-sm text-muted">What came of it can’t be read any more.</p>;
}

function Under({ job, title }: { job: Job; title: string }) {
  const stop = useStop(job.id);
  return (
    <>
      <div className="flex items-center justify-between gap-3">
        <p className="text-sm font-medium">{job.state === "waiting" ? "Waiting for its turn" : title}</p>
        <Button size="small" tone="quiet" disabled={stop.isPending} onClick={() => stop.mutate()}>
          Stop
        </Button>
      </div>
      <Bar job={job} label={title} />
      <p className="min-h-5 text-xs text-muted tabular-nums">{under(job)}</p>
      {job.served ? null : (
        <p role="status" className="rounded-sm bg-warn-wash px-3 py-2 text-sm text-warn">
          No jobs worker is running, so nothing happens. Start one: <code>antiphon worker jobs</code>
        </p>
      )}
    </>
  );
}

function under(job: Job): string {
  const share = job.of > 0 ? `${job.done} of ${job.of}` : "";
  return [share, job.doing].filter(Boolean).join(" · ");
}

/** How far it is; where that isn't known, that it goes on. */
export function Bar({ job, label }: { job: Job; label: string }) {
  const share = shareOf(job);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}
      className="h-1.5 overflow-hidden rounded-full bg-raised"
    >
      <div
        className={clsx("h-full rounded-full bg-accent transition-[width]", share === null && "w-1/3 animate-pulse")}
        style={share === null ? undefined : { width: `${Math.max(share * 100, 2)}%` }}
      />
    </div>
  );
}

function End({ job }: { job: Job }) {
  if (job.state === "failed")
    return (
      <p role="alert" className="flex gap-2 rounded-md bg-bad-wash px-3 py-2 text-sm text-bad">
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
        <span className="min-w-0 break-words">{sentence(job.error || "it failed")}</span>
      </p>
    );
  const [Icon, words] = job.state === "done" ? [CircleCheck, "Done."] : [CircleSlash, "Stopped."];
  return (
    <p className={clsx("flex items-center gap-2 text-sm", job.state === "done" ? "text-good" : "text-muted")}>
      <Icon aria-hidden className="size-4" />
      {words}
    </p>
  );
}
