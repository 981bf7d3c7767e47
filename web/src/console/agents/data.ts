import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError, answered, api, untilAnswered } from "@/api/client";
import type { AgentText } from "@/console/agents/editing";

const AGAIN = 3_000;

export async function readAgent(name: string, signal?: AbortSignal): Promise<AgentText> {
  return answered(api.GET("/v1/agents/{name}", { params: { path: { name } }, signal }));
}

/** One agent's file, read again when `etag` says that it is another now; undefined: there is none. `gone`: there
 * was none when it was read. */
export function useAgent(name: string, etag: string | undefined) {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ["agent", name],
    queryFn: ({ signal }) => readAgent(name, signal),
    staleTime: 5_000,
    refetchInterval: untilAnswered(AGAIN),
  });
  const gone = error instanceof ApiError && error.status === 404;
  const known = gone ? undefined : data?.etag;
  useEffect(() => {
    if (!isPending && known !== etag) void refetch();
  }, [etag, isPending, known, refetch]);
  return { data, error, isPending, gone, refetch };
}

const TYPING = 400;

/** What is wrong with a text, asked a moment after the last key; what was found before stays until then. */
export function useProblems(text: string) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(text), TYPING);
    return () => window.clearTimeout(timer);
  }, [text]);
  return useQuery({
    queryKey: ["agent-problems", settled],
    queryFn: async ({ signal }) => (await api.POST("/v1/agents/validate", { body: { toml: settled }, signal })).data,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 30_000,
  });
}

/** `reach`: which gateways have it. */
type Saved = AgentText & { reach: string };
type Outcome = { saved: Saved } | { refused: AgentText | null };

/** Saves a text: `etag` of what it is a change of, null for a new file. Answers the file, or, where it was changed meanwhile, what
 * stands there now. */
export function useSave(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ toml, etag }: { toml: string; etag: string | null }): Promise<Outcome> => {
      try {
        const params = { path: { name }, header: etag === null ? {} : { "if-match": etag } };
        return { saved: await answered(api.PUT("/v1/agents/{name}", { params, body: { toml } })) };
      } catch (error) {
        if (error instanceof ApiError && (error.status === 412 || error.status === 428))
          return { refused: await readAgent(name).catch(goneOr) };
        throw error;
      }
    },
    onSuccess: async (outcome) => {
      if (!("saved" in outcome)) return;
      await queries.cancelQueries({ queryKey: ["agent", name] }); // what is on its way may be from before
      queries.setQueryData(["agent", name], outcome.saved);
    },
  });
}

function goneOr(error: unknown): null {
  if (error instanceof ApiError && error.status === 404) return null;
  throw error;
}

/** Keeps a text as a draft; answers the name to start a call with. */
export function useDraft() {
  return useMutation({
    mutationFn: async (toml: string) => (await answered(api.POST("/v1/agents/drafts", { body: { toml } }))).agent,
  });
}
