import { FileUp, Layers } from "lucide-react";
import { lazy, Suspense, useCallback, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { useMe } from "@/access/me";
import { useSessions } from "@/console/sessions/data";
import { FilterBar } from "@/console/sessions/filter-bar";
import { type Filters, filtersOf, searchOf } from "@/console/sessions/filters";
import { List } from "@/console/sessions/list";
import { useAgentNames } from "@/console/shared/agents";
import { LiveMark } from "@/console/shared/live-mark";
import { count } from "@/format";
import { Button } from "@/ui/button";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";

const ImportDialog = lazy(() => import("@/console/sessions/import-dialog"));

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
  const me = useMe();
  const [importing, setImporting] = useState(false);
  const filtered = searchOf(filters) !== "";

  return (
    <>
      <PageHead title="Sessions" lead={ids.length ? shownOf(ids.length, hasNextPage) : undefined}>
        <LiveMark {...stream} />
        {me.features.replay ? (
          <>
            <Button size="small" icon={<FileUp aria-hidden className="size-4" />} onClick={() => setImporting(true)}>
              Import
            </Button>
            <Link
              href={`/replays/new${searchOf({ ...filters, state: "", forks: "" })}`}
              className="inline-flex h-8 items-center gap-2 rounded-md border border-line bg-surface px-3 text-sm font-medium hover:border-strong-line"
            >
              <Layers aria-hidden className="size-4" />
              Replay these
            </Link>
          </>
        ) : null}
      </PageHead>
      <FilterBar filters={filters} agents={agents} onChange={change} />
      <Suspense>{importing ? <ImportDialog onClose={() => setImporting(false)} /> : null}</Suspense>
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
