import { skipToken, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answered, api } from "@/api/client";
import type { components } from "@/api/schema";
import { useStream } from "@/api/stream";

export type AgentRow = components["schemas"]["AgentRow"];
type AgentRows = components["schemas"]["AgentRows"];

/** Where it is kept which agents there are, whoever told it. */
const AGENTS = ["agents"];

/** Which agents there are, told whenever a file was changed, by whomever; undefined: not known yet. */
export function useAgents() {
  const queries = useQueryClient();
  const rows = useQuery<AgentRows>({ queryKey: AGENTS, queryFn: skipToken }).data?.agents;
  const stream = useStream("/v1/agents/all/stream", (events) => {
    for (const { event, data } of events) if (event === "agents") queries.setQueryData(AGENTS, data as AgentRows);
  });
  return { rows, stream };
}

/** Names of the agents there are, for a choice; none while that isn't known. */
export function useAgentNames(): readonly string[] {
  const agents = useQuery<AgentRows>({
    queryKey: AGENTS,
    queryFn: ({ signal }) => answered(api.GET("/v1/agents", { signal })),
    staleTime: 60_000,
  });
  return agents.data?.agents.map(({ name }) => name) ?? [];
}

/** Has all files read again. */
export function useReload() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => answered(api.POST("/v1/agents/reload")),
    onSuccess: (data) => queries.setQueryData(AGENTS, data),
  });
}
