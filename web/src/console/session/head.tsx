import { lazy, Suspense, useState } from "react";
import { useMe } from "@/access/me";
import type { Phase } from "@/api/stream";
import { Origin } from "@/console/session/keep/origin";
import { Over } from "@/console/session/keep/over";
import type { SessionRow, SessionView } from "@/console/session/model/shapes";
import { Actions } from "@/console/session/operator/actions";
import { ListenIn } from "@/console/session/operator/listen-in";
import type { Clock } from "@/console/session/player/clock";
import { callers, endOf } from "@/console/shared/row";
import { transportName } from "@/console/shared/transport-name";
import { count, clock as duration } from "@/format";
import { PageHead } from "@/ui/shell";
import { Chip } from "@/ui/surface";

const Afterwards = lazy(() => import("@/console/session/keep/afterwards"));

interface Props {
  session: string;
  row: SessionRow;
  live: boolean;
  clock: Clock;
  phase: Phase;
  onEvent: (seq: number) => void;
  forkedFrom: SessionView["forked_from"];
}

/** Whose call it is, how it goes or went, and what an operator can do about it. */
export function Head({ session, row, live, clock, phase, onEvent, forkedFrom }: Props) {
  const me = useMe();
  const [receipt, setReceipt] = useState<{ words: string; seq: number } | null>(null);
  const people = row.participants.filter((one) => one.kind !== "agent");
  const names = callers(row);
  const started = new Date(row.started_at);
  const facts = [
    `agent ${row.agent}`,
    transportName(row.transport),
    started.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    live ? null : duration(row.duration_s),
    count(row.turns, "turn"),
    endOf(row),
  ];
  return (
    <>
      <PageHead
        title={
          <span className="flex flex-wrap items-center gap-2">
            <span title={names} className="line-clamp-2 min-w-0 break-words">
              {names}
            </span>
            {live ? <Chip mood="accent">live: {row.activity === "waiting" ? "quiet" : row.activity}</Chip> : null}
          </span>
        }
        lead={
          <>
            {facts.filter(Boolean).join(" · ")} <span className="break-all text-faint">· {session}</span>
          </>
        }
      >
        {live && me.features.listen ? <ListenIn session={session} clock={clock} /> : null}
        {live ? (
          <Actions
            session={session}
            senders={people.filter((one) => one.present)}
            onReceipt={(words, seq) => setReceipt({ words, seq })}
          />
        ) : (
          <Over row={row} />
        )}
      </PageHead>
      {forkedFrom ? <Origin session={session} from={forkedFrom} /> : null}
      {live ? null : (
        <Suspense>
          <Afterwards row={row} />
        </Suspense>
      )}
      {live && (phase.state === "waiting" || phase.state === "refused") ? (
        <p role="status" className="mx-4 mb-2 rounded-sm bg-warn-wash px-3 py-2 text-sm text-warn md:mx-8">
          {phase.state === "waiting"
            ? `The call is not followed just now: ${phase.because} It is tried again.`
            : `The call can’t be followed: ${phase.error.message}`}
        </p>
      ) : null}
      <div aria-live="polite">
        {receipt ? (
          <p className="mx-4 mb-2 flex flex-wrap items-center gap-2 rounded-sm bg-accent-wash px-3 py-2 text-sm md:mx-8">
            {receipt.words}: it stands in the log as event {receipt.seq}.
            <button type="button" className="font-medium text-accent underline" onClick={() => onEvent(receipt.seq)}>
              Show it
            </button>
            <button type="button" className="ml-auto text-muted underline" onClick={() => setReceipt(null)}>
              Dismiss
            </button>
          </p>
        ) : null}
      </div>
    </>
  );
}
