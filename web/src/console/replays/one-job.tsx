import { Link } from "wouter";
import { ApiError } from "@/api/client";
import { JobStatus, Unread } from "@/console/replay/job-status";
import { type Job, useJob } from "@/console/replay/jobs";
import { callAt, comparison } from "@/console/replay/links";
import { Proof } from "@/console/replay/proof";
import { BatchResult } from "@/console/replays/batch-result";
import { aboutOf, kindOf } from "@/console/replays/words";
import { moment } from "@/format";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";
import { Card } from "@/ui/surface";

/** One job: how far it is, and what came of it. */
export function OneJob({ id }: { id: string }) {
  const { data: job, error, refetch } = useJob(id);
  if (job === undefined) {
    if (error instanceof ApiError && error.status === 404)
      return (
        <Empty title="There is no such job" action={<Link href="/replays">To all of them</Link>}>
          Jobs are kept for a week.
        </Empty>
      );
    return error ? (
      <Failed title="The job can’t be read" retry={() => void refetch()}>
        {error.message}
      </Failed>
    ) : (
      <Loading label="Reading the job" />
    );
  }
  return (
    <>
      <PageHead
        title={kindOf(job)}
        lead={<span className="break-words">{[aboutOf(job), moment(job.asked_at), job.by].join(" · ")}</span>}
      >
        <Link href="/replays" className="text-sm font-medium text-accent hover:underline">
          All replays
        </Link>
      </PageHead>
      <div className="flex flex-col gap-4 px-4 pb-8 md:px-8">
        <Card className="p-4">
          <JobStatus id={id} title={`${kindOf(job)} is under way`}>
            {(done) => <Outcome job={done} />}
          </JobStatus>
        </Card>
        {job.result?.kind === "batch" ? <BatchResult batch={job.result} /> : null}
      </div>
    </>
  );
}

function Outcome({ job }: { job: Job }) {
  const made = job.result;
  if (made === null) return <Unread />;
  if (made.kind === "batch") return null;
  if (made.kind !== "fork" && made.kind !== "import") return <Proof removed={made} />;
  const original = (job.about as { session?: string }).session;
  return (
    <div className="flex flex-col gap-2 text-sm">
      <p className="flex flex-wrap gap-x-4 gap-y-1 font-medium text-accent">
        <Link href={callAt(made.session)} className="break-all hover:underline">
          Open {made.session}
        </Link>
        {made.kind === "fork" && original ? (
          <Link href={comparison(original, made.session)} className="hover:underline">
            Compare it with what it was
          </Link>
        ) : null}
      </p>
      {made.notes.length ? (
        <ul className="list-disc pl-5 text-xs text-muted">
          {made.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
