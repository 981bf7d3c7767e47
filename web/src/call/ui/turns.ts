import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type TurnTimes, turnsOf } from "@/call/api";

/** How long each turn of a session took, and on what; asked again when `version` rises. Empty while it is not known, and for
 * whoever may not know. */
export function useTurnTimes(session: string, version: number, may: boolean): ReadonlyMap<number, TurnTimes> {
  const { data } = useQuery({
    queryKey: ["call", session, version],
    enabled: may && session !== "" && version > 0,
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    retry: false,
    queryFn: async ({ signal }) => new Map((await turnsOf(session, signal)).map((turn) => [turn.turn, turn])),
  });
  return session === "" ? NONE : (data ?? NONE);
}

const NONE: ReadonlyMap<number, TurnTimes> = new Map();
