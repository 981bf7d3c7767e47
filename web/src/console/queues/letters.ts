import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { answered, api, untilAnswered } from "@/api/client";
import type { components } from "@/api/schema";
import type { Stage } from "@/console/queues/model";

const AGAIN = 3_000;
/** Between two readings for a mark, in milliseconds: in a storm of letters there is another mark each second. */
const APART = 5_000;

export type Letter = components["schemas"]["Letter"];

/** The dead letters of a stage, "" of all, the latest first; read again when the stream tells another `mark`, but not more often
 * than one can read. */
export function useLetters(stage: "" | Stage, mark: string) {
  const queries = useQueryClient();
  const found = useInfiniteQuery({
    queryKey: ["dead-letters", stage],
    queryFn: async ({ pageParam, signal }) => {
      const query = { stage: stage || undefined, cursor: pageParam || undefined, limit: 50 };
      return answered(api.GET("/v1/dead-letters", { params: { query }, signal }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: 0, // what was read while nobody watched is old
    refetchInterval: untilAnswered(AGAIN),
  });
  const renew = useCallback(async () => {
    await queries.cancelQueries({ queryKey: ["dead-letters"] }); // what is on its way may be from before
    await queries.invalidateQueries({ queryKey: ["dead-letters"] });
  }, [queries]);
  const readFor = useRef(mark);
  const readAt = useRef(Number.NEGATIVE_INFINITY);
  const pending = useRef(0);
  useEffect(() => {
    if (readFor.current === mark) return; // it was read since that was told
    readFor.current = mark;
    if (pending.current !== 0) return; // what is to be read then is what this one tells of
    const wait = Math.max(0, readAt.current + APART - performance.now());
    pending.current = window.setTimeout(() => {
      pending.current = 0;
      readAt.current = performance.now();
      void renew();
    }, wait);
  }, [mark, renew]);
  useEffect(() => () => window.clearTimeout(pending.current), []);
  return { found, renew };
}
