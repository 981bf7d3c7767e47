import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { authorization, problemOf } from "@/api/client";

export interface Bar {
  part: string;
  name: string;
  meaning: string;
  begins_s: number;
  seconds: number;
  queued_s: number;
  ms: number;
}

export interface TurnTimes {
  turn: number;
  total_ms: number | null;
  bars: Bar[];
}

/** How long each turn of a session took, and on what; asked again when `version` rises. Empty while it is not known. */
export function useTurnTimes(session: string, version: number): ReadonlyMap<number, TurnTimes> {
  const { data } = useQuery({
    queryKey: ["call", session, version],
    enabled: session !== "" && version > 0,
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    retry: false,
    queryFn: async ({ signal }) => {
      const path = `/v1/sessions/${encodeURIComponent(session)}`;
      const response = await fetch(path, { headers: authorization(), signal });
      if (!response.ok) throw await problemOf(response);
      const { turns } = (await response.json()) as { turns: TurnTimes[] };
      return new Map(turns.map((turn) => [turn.turn, turn]));
    },
  });
  return session === "" ? NONE : (data ?? NONE);
}

const NONE: ReadonlyMap<number, TurnTimes> = new Map();
