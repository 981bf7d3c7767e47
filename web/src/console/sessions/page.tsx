import { useCallback } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { useSessions } from "@/console/sessions/data";
import { FilterBar } from "@/console/sessions/filter-bar";
import { type Filters, filtersOf, searchOf } from "@/console/sessions/filters";
import { List } from "@/console/sessions/list";
import { useAgentNames } from "@/console/shared/agents";
import { LiveMark } from "@/console/shared/live-mark";
import { count } from "@/format";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";

/** Every session there is, live ones as they go. */
export default function SessionsPage() {
  const [, go] = useLocation();
  const filters = filtersOf(useSearch());
  const { rows, ids, stored, stream } = useSessions(filters);
  const agents = useAgentNames();
  const { fetchNextPage, hasNextPage, isFetchingNextPage, isFetchNextPageError } = stored;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage, isFetchNextPageError]);
  const change = (next: Filters) => go(`/sessions${searchOf(next)}`, { replace: true });
  const filtered = searchOf(filters) !== "";

  return (
    <>
      <PageHead title="Sessions" lead={ids.length ? shownOf(ids.length, hasNextPage) : undefined}>
        <LiveMark {...stream} />
      </PageHead>
      <FilterBar filters={filters} agents={agents} onChange={change} />
      {ids.length > 0 ? <List rows={rows} ids={ids} onEnd={onEnd} /> : null}
      {ids.length === 0 && stored.isPending ? <Loading lines={8} label="Loading sessions" /> : null}
      {ids.length === 0 && stored.isError ? (
        <Failed title="The sessions can't be read" retry={() => void stored.refetch()}>
          {stored.error.message}
        </Failed>
      ) : null}
      {ids.length === 0 && stored.isSuccess ? <Nothing filtered={filtered} /> : null}
      {isFetchNextPageError ? (
        <Failed title="The rest of the list can't be read" retry={() => void fetchNextPage()}>
          {stored.error?.message}
        </Failed>
      ) : null}
    </>
  );
}

function shownOf(length: number, more: boolean): string {
  return more ? `The latest ${length.toLocaleString("en")}` : count(length, "session");
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <Empty title="No session is like that" action={<Link href="/sessions">Show all</Link>}>
        Sessions leave the log a day after they have ended.
      </Empty>
    );
  return (
    <Empty
      title="No sessions yet"
      action={
        <Link href="/" className="font-medium text-accent">
          Talk to the agent
        </Link>
      }
    >
      Every call stands here from its first second on, with its turns and what they waited for.
    </Empty>
  );
}
