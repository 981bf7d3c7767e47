import clsx from "clsx";
import { useQueues } from "@/console/queues/data";
import { DeadLetters } from "@/console/queues/dead-letters";
import { Gateways } from "@/console/queues/gateways";
import { StageCard } from "@/console/queues/stage-card";
import { LiveMark } from "@/console/shared/live-mark";
import { PageHead } from "@/ui/shell";
import { Failed, Loading } from "@/ui/state";

/** Who works, what waits for whom, and what was given up. */
export default function QueuesPage() {
  const { now, history, away, stream } = useQueues();
  const { phase, restart } = stream;
  const broken = now === null && (phase.state === "waiting" || phase.state === "refused");
  return (
    <>
      <PageHead title="Queues" lead="The stages of a turn, their workers, and the gateways that hold the calls.">
        <LiveMark phase={phase} restart={restart} />
      </PageHead>
      <div className="@container flex flex-col gap-4 px-4 pb-8 md:px-8">
        {away ? (
          <p role="alert" className="rounded-md bg-bad-wash px-4 py-3 text-sm text-bad">
            These figures are old: {away}
          </p>
        ) : null}
        {broken ? (
          <Failed title="The queues can't be read" retry={restart}>
            {phase.state === "waiting" ? phase.because : phase.error.message}
          </Failed>
        ) : null}
        {now === null && !broken ? <Loading lines={6} /> : null}
        {now ? (
          <>
            <div className={clsx("grid gap-4", columns(now.stages.length))}>
              {now.stages.map((row) => (
                <StageCard key={row.stage} row={row} seconds={history[row.stage] ?? []} />
              ))}
            </div>
            <div className="grid items-start gap-4 @4xl:grid-cols-[1fr_2fr]">
              <Gateways gateways={now.gateways} />
              <DeadLetters {...now.dead_letters} />
            </div>
          </>
        ) : null}
      </div>
    </>
  );
}

/** Side by side, where there is room for all of them. */
function columns(stages: number): string {
  return stages > 3 ? "@xl:grid-cols-2 @5xl:grid-cols-4" : "@3xl:grid-cols-3";
}
