import { useState } from "react";
import { useStream } from "@/api/stream";
import { type Latency, SPANS, type View, type Window } from "@/console/latency/model";

export type Told = Latency & { window: Window };

/** How long answers took, in the window up to now, told as answers come. What was there stays until other figures come. `away`: why
 * the log can't be read just now, "" when it can. */
export function useLatency({ span, agent }: View) {
  const [told, setTold] = useState<Told | null>(null);
  const [away, setAway] = useState("");
  const asked = new URLSearchParams({ seconds: String(SPANS[span]), agent });
  const stream = useStream(`/v1/latency/stream?${asked}`, (events) => {
    for (const { event, data } of events) {
      if (event === "latency") setTold(withWindow(data as Latency));
      if (event === "latency" || event === "away") setAway(event === "away" ? (data as { detail: string }).detail : "");
    }
  });
  return { told, away, stream };
}

function withWindow(latency: Latency): Told {
  return { ...latency, window: { from: Date.parse(latency.since), to: Date.parse(latency.at) } };
}
