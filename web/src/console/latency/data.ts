import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answered, api, apiNow, unlessRefused } from "@/api/client";
import { SPANS, type View } from "@/console/latency/model";

const ANEW = 10_000;

/** How long answers took, in the window up to now. What was there stays until other figures come. */
export function useLatency({ span, agent }: View) {
  return useQuery({
    queryKey: ["latency", span, agent],
    queryFn: async ({ signal }) => {
      const to = apiNow();
      const from = to - SPANS[span] * 1_000;
      const query = { since: new Date(from).toISOString(), agent: agent || undefined };
      return { ...(await answered(api.GET("/v1/latency", { params: { query }, signal }))), window: { from, to } };
    },
    refetchInterval: unlessRefused(ANEW),
    placeholderData: keepPreviousData,
  });
}

export type Told = NonNullable<ReturnType<typeof useLatency>["data"]>;
