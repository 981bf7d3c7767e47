import { useState } from "react";
import { useStream } from "@/api/stream";
import { type History, type Queues, remember } from "@/console/queues/model";

interface Seen {
  now: Queues | null;
  history: History;
  /** When, ms since 1970, by the API's clock. */
  at: number;
  /** Why the log can't be read just now, "" when it can. */
  away: string;
}

/** What was seen while this page was open stays, for coming back. */
let kept: Seen = { now: null, history: {}, at: 0, away: "" };

/** The stages, each second, and their last minutes. */
export function useQueues() {
  const [seen, setSeen] = useState(kept);
  const stream = useStream("/v1/queues/stream", (events) => {
    for (const { event, data } of events) {
      if (event === "queues") kept = after(kept, data as Queues);
      if (event === "away") kept = { ...kept, away: (data as { detail: string }).detail };
    }
    setSeen(kept);
  });
  return { ...seen, stream };
}

function after(before: Seen, now: Queues): Seen {
  const at = Date.parse(now.at);
  const missed = before.at ? Math.max(0, Math.round((at - before.at) / 1_000) - 1) : 0;
  return { now, history: remember(before.history, now, missed), at, away: "" };
}
