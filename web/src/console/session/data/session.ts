import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { ApiError, answered, api } from "@/api/client";
import type { EventBuffer } from "@/console/session/model/buffer";
import type { SessionState } from "@/console/session/model/shapes";

/** The session as it is told: its row, its turns, what went wrong. While it lives it is read again as its log grows, at most
 * once in `APART` milliseconds, and again where that failed. */
export function useSession(session: string, buffer: EventBuffer) {
  const read = useQuery({
    queryKey: ["session", session],
    queryFn: ({ signal }) => answered(api.GET("/v1/sessions/{session}", { params: { path: { session } }, signal })),
  });
  const queries = useQueryClient();
  const changes = useRef(0);
  changes.current = lastChange(buffer);
  const pending = useRef(0);
  /** The epoch in which it was read last. */
  const readIn = useRef(0);
  const count = changes.current;
  const epoch = buffer.epoch;
  useEffect(() => {
    const row = read.data?.row;
    if (row === undefined || pending.current !== 0) return;
    if (row.events >= count && readIn.current === epoch && !read.isError) return;
    if (read.error instanceof ApiError && read.error.forGood) return;
    pending.current = window.setTimeout(
      () => {
        pending.current = 0;
        readIn.current = epoch;
        void queries.invalidateQueries({ queryKey: ["session", session] });
      },
      read.isError ? LONG : APART,
    );
  }, [count, epoch, read.data, read.isError, read.error, session, queries]);
  useEffect(() => () => window.clearTimeout(pending.current), []);
  return read;
}

const APART = 1_000;
/** After one that failed. */
const LONG = 5_000;

/** The last event that changes how turns are told: what is said so far changes nothing. */
function lastChange({ events }: EventBuffer): number {
  for (let index = events.length - 1; index >= 0; index--) {
    const event = events[index];
    if (event !== undefined && event.type !== "transcript.partial") return event.seq;
  }
  return 0;
}

/** Peaks of the recording; `version` changes when there is more of it. */
export function usePeaks(session: string, version: number, points: number) {
  return useQuery({
    queryKey: ["peaks", session, version, points],
    queryFn: ({ signal }) =>
      answered(api.GET("/v1/sessions/{session}/peaks", { params: { path: { session }, query: { points } }, signal })),
    placeholderData: (before) => before,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

/** What the log amounts to after event `at`; without it, now. */
export async function stateAt(session: string, at: number | undefined, signal: AbortSignal): Promise<SessionState> {
  const asked = api.GET("/v1/sessions/{session}/state", { params: { path: { session }, query: { at } }, signal });
  return (await answered(asked)) as unknown as SessionState;
}
