import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { answered, api } from "@/api/client";
import { useStream } from "@/api/stream";
import { Feed } from "@/console/sessions/feed";
import { type Filters, matches, queryOf, searchOf } from "@/console/sessions/filters";
import { Rows } from "@/console/sessions/rows";
import type { Row } from "@/console/shared/row";

const PAGE = 50;

/** The sessions that `filters` let pass: pages of what is stored, and on top, live, what changes. */
export function useSessions(filters: Filters) {
  const search = searchOf(filters);
  // biome-ignore lint/correctness/useExhaustiveDependencies: equal filters are the same list
  const rows = useMemo(() => new Rows((row) => matches(row, filters)), [search]);

  const stored = useInfiniteQuery({
    queryKey: ["sessions", search],
    queryFn: async ({ pageParam, signal }) => {
      const query = { ...queryOf(filters), limit: PAGE, cursor: pageParam || undefined };
      return answered(api.GET("/v1/sessions", { params: { query }, signal }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const pages = stored.data?.pages;
  useEffect(() => {
    for (const page of pages ?? []) rows.mergePage(page);
  }, [pages, rows]);

  const readAnew = useRef(async () => stored.data?.pages ?? []);
  useEffect(() => {
    readAnew.current = async () => (await stored.refetch()).data?.pages ?? [];
  });
  const [feed] = useState(() => new Feed(() => readAnew.current()));
  const stream = useStream("/v1/sessions/stream", (events) => feed.take(rows, events));
  const ids = useSyncExternalStore(rows.onList, rows.list);
  return { rows, ids, stored, stream };
}

/** One row of them, heard of alone. */
export function useRow(rows: Rows, session: string): Row | undefined {
  return useSyncExternalStore(
    useMemo(() => (tell: () => void) => rows.onRow(session, tell), [rows, session]),
    () => rows.row(session),
  );
}
