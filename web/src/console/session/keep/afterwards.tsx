import { useQuery, useQueryClient } from "@tanstack/react-query";
import clsx from "clsx";
import { Check, Clock3, GitFork, TriangleAlert } from "lucide-react";
import { Fragment, useEffect } from "react";
import { Link } from "wouter";
import { answered, api, apiNow, unlessRefused } from "@/api/client";
import type { components } from "@/api/schema";
import { callAt, comparison } from "@/console/replay/links";
import { otherwise } from "@/console/session/keep/origin";
import type { SessionRow } from "@/console/session/model/shapes";
import { fullMoment, moment, sentence } from "@/format";
import { Chip } from "@/ui/surface";

type FollowUp = components["schemas"]["FollowUpView"];
type Fork = components["schemas"]["ForkView"];

/** Milliseconds between two looks at what is still to be done. */
const AGAIN = 4_000;
/** And for how long it is looked whether a call that ended is archived. */
const SOON = 60_000;

/** What came of a call once it was over: what it was about, what was told and kept of it, what was made of it by replays. */
export default function Afterwards({ row }: { row: SessionRow }) {
  const { session } = row;
  const follows = useFollowUps(row);
  const forks = useForks(session);
  useSummaryOnceThere(row, follows);
  const brought = row.variant || row.result || row.result_error || Object.keys(row.fields ?? {}).length > 0;
  if (!row.summary && !row.topics.length && !follows.length && !forks.length && !brought) return null;
  return (
    <section aria-label="What came of it" className="mx-4 mb-3 flex flex-col gap-2 text-sm md:mx-8">
      {row.summary ? <p className="max-w-prose">{row.summary}</p> : null}
      {row.topics.length ? (
        <ul aria-label="Topics" className="flex flex-wrap gap-1.5">
          {row.topics.map((topic) => (
            <li key={topic} className="max-w-full">
              <Chip>{topic}</Chip>
            </li>
          ))}
        </ul>
      ) : null}
      {brought ? <Brought row={row} /> : null}
      {follows.length ? (
        <ul aria-label="What followed" className="flex flex-wrap gap-x-5 gap-y-1 text-xs">
          {follows.map((one) => (
            <Followed key={one.id} one={one} />
          ))}
        </ul>
      ) : null}
      {forks.map((one) => (
        <Made key={one.session} session={session} fork={one} />
      ))}
    </section>
  );
}

/** What the agent had, what it collected, and what a model made of the call. */
function Brought({ row }: { row: SessionRow }) {
  const told: [string, string][] = [
    ...(row.variant ? [["Variant", row.variant] as [string, string]] : []),
    ...Object.entries(row.fields ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
    ...Object.entries(row.result ?? {}).map(([name, value]): [string, string] => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
    ...(row.result_error ? [["No result", row.result_error] as [string, string]] : []),
  ];
  return (
    <dl aria-label="What it brought" className="grid max-w-prose grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 text-xs">
      {told.map(([name, value], place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a field and the result may have the same name
        <Fragment key={place}>
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

function useFollowUps({ session, ended_at }: SessionRow): readonly FollowUp[] {
  const { data } = useQuery({
    queryKey: ["follow-ups", session],
    queryFn: ({ signal }) =>
      answered(api.GET("/v1/sessions/{session}/follow-ups", { params: { path: { session } }, signal })),
    refetchInterval: (query) => isUnderWay(query.state.data, ended_at) && unlessRefused(AGAIN)(query),
  });
  return data?.follow_ups ?? [];
}

/** Something of it is still to be done; or it ended a moment ago, and is archived in another, if at all. */
function isUnderWay(told: components["schemas"]["FollowUps"] | undefined, endedAt: string | null): boolean {
  if (told?.archived) return told.follow_ups.some(({ state }) => state === "pending");
  return endedAt !== null && apiNow() - Date.parse(endedAt) < SOON;
}

function useForks(session: string): readonly Fork[] {
  const { data } = useQuery({
    queryKey: ["forks", session],
    queryFn: ({ signal }) =>
      answered(api.GET("/v1/sessions/{session}/forks", { params: { path: { session } }, signal })),
  });
  return data?.forks ?? [];
}

/** The summary comes when the call was read already. */
function useSummaryOnceThere({ session, summary }: SessionRow, follows: readonly FollowUp[]): void {
  const queries = useQueryClient();
  const there = follows.some(({ kind, state }) => kind === "summary" && state === "done");
  useEffect(() => {
    if (there && !summary) void queries.invalidateQueries({ queryKey: ["session", session] });
  }, [there, summary, session, queries]);
}

const NAMES: Record<FollowUp["kind"], string> = {
  webhook: "Webhook",
  summary: "Summary",
  recording: "Recording",
  result: "Result",
  memory: "Memory",
};
const DONE: Record<FollowUp["kind"], string> = {
  webhook: "delivered",
  summary: "made",
  recording: "kept",
  result: "made",
  memory: "written",
};

function Followed({ one }: { one: FollowUp }) {
  const [Icon, mood] =
    one.state === "done"
      ? [Check, "text-good"]
      : one.state === "failed"
        ? [TriangleAlert, "text-bad"]
        : [Clock3, "text-muted"];
  const at = one.done_at ?? one.next_at;
  return (
    <li className="flex max-w-full items-start gap-1.5" title={at ? fullMoment(at) : undefined}>
      <Icon aria-hidden className={clsx("mt-0.5 size-3.5 shrink-0", mood)} />
      <span className="min-w-0 break-words">
        {NAMES[one.kind]} {one.about ? <span className="text-muted">{one.about} </span> : null}
        <span className={one.state === "failed" ? "text-bad" : "text-muted"}>{became(one)}</span>
      </span>
    </li>
  );
}

/** What became of it so far, in words. */
export function became(one: FollowUp): string {
  if (one.state === "done") return one.done_at ? `${DONE[one.kind]} ${moment(one.done_at)}` : DONE[one.kind];
  const why = one.error ? `: ${sentence(one.error)}` : "";
  if (one.state === "failed") return `given up${why}`;
  return one.tries ? `tried again ${one.next_at ? moment(one.next_at) : "later"}${why}` : "to come";
}

function Made({ session, fork }: { session: string; fork: Fork }) {
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1 rounded-sm bg-raised px-3 py-2">
      <span className="min-w-0">
        <GitFork aria-hidden className="mr-2 inline size-4 align-[-0.15em] text-muted" />
        Forked as{" "}
        <Link href={callAt(fork.session)} className="font-medium break-all text-accent hover:underline">
          {fork.session}
        </Link>
        <span className="text-muted">{otherwise(fork.turn, fork.changed)}</span>
      </span>
      <Link
        href={comparison(session, fork.session)}
        aria-label={`Compare with ${fork.session}`}
        className="ml-auto font-medium text-accent hover:underline"
      >
        Compare
      </Link>
    </p>
  );
}
