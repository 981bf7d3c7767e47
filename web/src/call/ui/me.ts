import { useQuery } from "@tanstack/react-query";
import { authorization, problemOf } from "@/api/client";

export interface Me {
  name: string;
  role: string;
  features: Record<string, boolean>;
}

/** Who asks, and what this installation has; null while it is not known. */
export function useMe(): Me | null {
  const { data } = useQuery({
    queryKey: ["me"],
    retry: false,
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const response = await fetch("/v1/me", { headers: authorization(), signal });
      if (!response.ok) throw await problemOf(response);
      return (await response.json()) as Me;
    },
  });
  return data ?? null;
}
