import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";

/** Names of the agents there are, for a choice; none while that isn't known. */
export function useAgentNames(): readonly string[] {
  const agents = useQuery({
    queryKey: ["agents"],
    queryFn: async ({ signal }) => (await api.GET("/v1/agents", { signal })).data,
    staleTime: 60_000,
  });
  return agents.data?.agents.map(({ name }) => name) ?? [];
}
