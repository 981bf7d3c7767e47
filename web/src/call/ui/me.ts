import { useQuery } from "@tanstack/react-query";
import { type Me, whoAmI } from "@/call/api";

/** Who asks, and what this installation has; null while it is not known. */
export function useMe(): Me | null {
  const { data } = useQuery({
    queryKey: ["me"],
    retry: false,
    staleTime: 60_000,
    queryFn: ({ signal }) => whoAmI(signal),
  });
  return data ?? null;
}

/** Whether the person may look into sessions: theirs, and everybody's. */
export function mayLook(me: Me | null): boolean {
  return me?.role === "operator" || me?.role === "admin";
}
