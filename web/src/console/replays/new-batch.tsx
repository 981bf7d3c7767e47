import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { answered, api } from "@/api/client";
import { ChangesForm } from "@/console/replay/changes-form";
import { BLANK, wishOf } from "@/console/replay/draft";
import { type Changes, type Filter, useAskFor } from "@/console/replay/jobs";
import { Told } from "@/console/replay/told";
import { FilterBar } from "@/console/sessions/filter-bar";
import { type Filters, filtersOf, queryOf, searchOf } from "@/console/sessions/filters";
import { useAgentNames } from "@/console/shared/agents";
import { count } from "@/format";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";
import { PageHead } from "@/ui/shell";
import { Card } from "@/ui/surface";

const MOST = 200;

/** `/replays/new`: many calls again, with something changed. Which, stands in the address, as in the list of sessions. */
export default function NewBatchPage() {
  const [, go] = useLocation();
  const filters: Filters = { ...filtersOf(useSearch()), state: "", forks: "" };
  const agents = useAgentNames();
  const [draft, setDraft] = useState(BLANK);
  const [most, setMost] = useState("50");
  const wish = wishOf(BLANK, draft);
  const found = useFound(filters);
  const asked = useAskFor((body: Changes & { filter: Filter; most: number }) => api.POST("/v1/batches", { body }));
  const number = Number(most);
  const tooMany = !Number.isInteger(number) || number < 1 || number > MOST ? `1 to ${MOST}` : undefined;
  const ready =
    wish.told.length > 0 && Object.keys(wish.problems).length === 0 && tooMany === undefined && !asked.isPending;
  return (
    <>
      <PageHead
        title="Replay many calls"
        lead="The latest calls that are over and pass the filter, each replayed with what you change, and compared with what it was."
      >
        <Link href="/replays" className="text-sm font-medium text-accent hover:underline">
          All replays
        </Link>
      </PageHead>
      <FilterBar
        filters={filters}
        agents={agents}
        ended
        onChange={(next) => go(`/replays/new${searchOf({ ...next, state: "", forks: "" })}`, { replace: true })}
      />
      <form
        className="flex max-w-3xl flex-col gap-4 px-4 pb-8 md:px-8"
        onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          asked.mutate(
            { ...wish.changes, filter: filterOf(filters), most: number },
            { onSuccess: ({ id }) => go(`/replays/${id}`) },
          );
        }}
      >
        <div className="flex flex-wrap items-end gap-x-4 gap-y-2">
          <div className="w-40">
            <TextField
              label="At most (calls)"
              inputMode="numeric"
              error={tooMany}
              value={most}
              onChange={(event) => setMost(event.target.value)}
            />
          </div>
          <p role="status" className="pb-2.5 text-sm text-muted">
            {found}
          </p>
        </div>
        <Card title="What is changed" className="[&>div]:p-4">
          <div>
            <ChangesForm draft={draft} onChange={setDraft} agents={agents} problems={wish.problems} many />
          </div>
        </Card>
        <Told wish={wish} />
        {asked.error ? (
          <p role="alert" className="text-sm whitespace-pre-wrap text-bad">
            {asked.error.message}
          </p>
        ) : null}
        <Button type="submit" tone="primary" size="normal" className="self-start" disabled={!ready}>
          Replay them
        </Button>
      </form>
    </>
  );
}

function filterOf(filters: Filters): Filter {
  const { agent, transport, slow_ms, failed, q } = queryOf(filters);
  return {
    agent: agent ?? "",
    caller: "",
    transport: transport ?? null,
    slow_ms: slow_ms ?? 0,
    failed: failed ?? null,
    q: q ?? "",
  };
}

/** How many pass the filter, in a few words. */
function useFound(filters: Filters): string {
  const query = { ...queryOf(filters), state: "closed" as const, forks: false, limit: MOST };
  const read = useQuery({
    queryKey: ["sessions-found", query],
    queryFn: ({ signal }) => answered(api.GET("/v1/sessions", { params: { query }, signal })),
    staleTime: 10_000,
  });
  if (read.isError) return read.error.message;
  if (read.data === undefined) return "Looking for them …";
  const calls = read.data.sessions.length;
  return read.data.next
    ? `More than ${calls} calls pass the filter.`
    : `${count(calls, "call passes", "calls pass")} the filter.`;
}
