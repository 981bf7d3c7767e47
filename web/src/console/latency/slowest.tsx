import clsx from "clsx";
import { Link } from "wouter";
import type { Latency } from "@/console/latency/model";
import { partName } from "@/console/latency/model";
import { moodOf } from "@/console/shared/latency-mood";
import { fullMoment, latency, moment } from "@/format";
import { PART_TEXT } from "@/ui/part-colours";

/** The turns that took longest; each leads to its moment in its session. */
export function Slowest({ turns }: { turns: Latency["slowest"] }) {
  return (
    <ul className="divide-y divide-line">
      {turns.map(({ session, turn, total_ms, worst_part, worst_ms, at }) => (
        <li
          key={`${session} ${turn}`}
          className="relative flex flex-wrap items-baseline gap-x-4 gap-y-0.5 px-4 py-2.5 text-sm hover:bg-raised"
        >
          <span className={clsx("w-16 shrink-0 font-medium tabular-nums", moodOf(total_ms))}>{latency(total_ms)}</span>
          <span className="flex w-36 items-center sm:w-44 gap-2 whitespace-nowrap">
            <span aria-hidden className={clsx("size-2.5 shrink-0 rounded-sm bg-current", PART_TEXT[worst_part])} />
            {partName(worst_part)} <span className="text-muted tabular-nums">{latency(worst_ms)}</span>
          </span>
          <Link
            href={`/sessions/${encodeURIComponent(session)}?turn=${turn}`}
            className="flex min-w-0 flex-1 items-baseline gap-2 outline-none after:absolute after:inset-0 focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
          >
            <span className="whitespace-nowrap">Turn {turn}</span>
            <span className="hidden truncate font-mono text-2xs text-faint sm:inline">{session}</span>
          </Link>
          <time dateTime={at} title={fullMoment(at)} className="text-xs whitespace-nowrap text-muted tabular-nums">
            {moment(at)}
          </time>
        </li>
      ))}
    </ul>
  );
}
