import clsx from "clsx";
import { GitFork } from "lucide-react";
import type { ReactNode } from "react";
import { moodOf } from "@/console/shared/latency-mood";
import { useNow } from "@/console/shared/now";
import { callers, endedBadly, endOf, isFork, lasted, type Row } from "@/console/shared/row";
import { transportName } from "@/console/shared/transport-name";
import { clock, count, fullMoment, latency, moment } from "@/format";
import { Chip } from "@/ui/surface";

/** Widths of the table's columns; what a narrow table leaves out is out in each of its lines. */
export const COLUMNS =
  "grid grid-cols-[5.5rem_minmax(0,1fr)_4rem_2.5rem_4rem_4rem] @4xl:grid-cols-[7.5rem_minmax(0,1fr)_8rem_8.5rem_4.5rem_3rem_4.5rem_4.5rem_6.5rem] items-center gap-x-4 px-4 md:px-8";
export const WIDE_ONLY = "hidden @4xl:block";

const ACTIVITIES: Record<string, string> = {
  waiting: "Quiet",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
};

/** What goes on there, or how it ended. */
export function StateMark({ row }: { row: Row }) {
  if (row.state === "closed")
    return (
      <span className={clsx("block truncate text-xs", endedBadly(row) ? "text-bad" : "text-muted")} title={endOf(row)}>
        {endOf(row) || "ended"}
      </span>
    );
  const busy = row.activity !== "waiting" && row.activity !== "listening";
  return (
    <span className="flex items-center gap-2 text-xs font-medium">
      <span aria-hidden className={clsx("size-2 shrink-0 rounded-full", busy ? "bg-accent" : "bg-good")} />
      {ACTIVITIES[row.activity] ?? row.activity}
    </span>
  );
}

/** Whose call it is; of a fork, that it is one. */
function Who({ row }: { row: Row }) {
  return (
    <span className="flex min-w-0 items-center gap-1.5 text-sm font-medium">
      {isFork(row) ? (
        <GitFork role="img" aria-label="A fork:" className="size-3.5 shrink-0 text-muted">
          <title>A fork: a replay of another call</title>
        </GitFork>
      ) : null}
      <span className="truncate">{callers(row)}</span>
    </span>
  );
}

/** Its own component: it alone is drawn anew each second. */
export function Duration({ row }: { row: Row }) {
  return row.state === "open" ? <Counting row={row} /> : clock(lasted(row, 0));
}

function Counting({ row }: { row: Row }) {
  return clock(lasted(row, useNow()));
}

export function Troubles({ row }: { row: Row }) {
  return (
    <>
      {row.failed > 0 ? (
        <Chip mood="bad" title="They were not answered">
          {count(row.failed, "turn")} failed
        </Chip>
      ) : null}
      {row.unanswered > 0 ? (
        <Chip mood="bad" title="They were waited for in vain until the call was over">
          {count(row.unanswered, "turn")} unanswered
        </Chip>
      ) : null}
      {row.failed === 0 && row.troubles > 0 ? (
        <Chip mood="warn" title="A stage gave up on a job">
          {count(row.troubles, "trouble")}
        </Chip>
      ) : null}
    </>
  );
}

/** By what it was held; or that it was not. */
function how(row: Row): string {
  return isFork(row) ? "Replay" : transportName(row.transport);
}

/** The cells of a line in the table. `link` makes the whole line lead somewhere. */
export function Line({ row, link }: { row: Row; link: (words: ReactNode) => ReactNode }) {
  const number = "text-right text-sm tabular-nums";
  return (
    <>
      <td>
        <StateMark row={row} />
      </td>
      <td className="min-w-0">
        <div className="flex">{link(<Who row={row} />)}</div>
        <div className="flex items-center gap-2">
          <Troubles row={row} />
          <p className="min-w-0 truncate font-mono text-2xs text-faint">{row.session}</p>
        </div>
      </td>
      <td className={clsx(WIDE_ONLY, "truncate text-sm")}>{row.agent}</td>
      <td className={clsx(WIDE_ONLY, "whitespace-nowrap text-sm tabular-nums")} title={fullMoment(row.started_at)}>
        {moment(row.started_at)}
      </td>
      <td className={number}>
        <Duration row={row} />
      </td>
      <td className={number}>{row.turns}</td>
      <td className={clsx(number, moodOf(row.last_ms))}>{latency(row.last_ms)}</td>
      <td className={clsx(number, moodOf(row.worst_ms))}>{latency(row.worst_ms)}</td>
      <td className={clsx(WIDE_ONLY, "pl-4 text-sm text-muted")}>{how(row)}</td>
    </>
  );
}

/** The same on a phone. */
export function CardLine({ row, link }: { row: Row; link: (words: ReactNode) => ReactNode }) {
  return (
    <div className="flex h-full flex-col justify-center gap-1.5 px-4">
      <div className="flex items-center gap-2">
        <span className="flex min-w-0 flex-1 items-center gap-2">
          {link(<Who row={row} />)}
          <Troubles row={row} />
        </span>
        <StateMark row={row} />
      </div>
      <div className="flex gap-3 text-xs text-muted tabular-nums">
        <span>
          <Duration row={row} />
        </span>
        <span>{count(row.turns, "turn")}</span>
        <span className="ml-auto">
          last <span className={moodOf(row.last_ms)}>{latency(row.last_ms)}</span>, worst{" "}
          <span className={moodOf(row.worst_ms)}>{latency(row.worst_ms)}</span>
        </span>
      </div>
      <p className="truncate text-xs text-faint">
        {moment(row.started_at)} · {row.agent} · {how(row)}
      </p>
    </div>
  );
}
