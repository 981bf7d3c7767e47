import { useEffect, useRef, useState } from "react";
import { type ApiError, answered, api } from "@/api/client";
import type { components } from "@/api/schema";
import { type Phase, type StreamEvent, useStream } from "@/api/stream";
import { addressOf } from "@/console/session/data/read";
import { add, EMPTY, type EventBuffer, lastSeq, rewind } from "@/console/session/model/buffer";
import type { LogEvent } from "@/console/session/model/shapes";

/** Events in one answer. */
const PAGE = 500;

type EventPage = components["schemas"]["EventPage"];

export interface Log {
  buffer: EventBuffer;
  /** All that there was when the page was opened is here. */
  complete: boolean;
  failed: ApiError | null;
  again: () => void;
  /** Of the stream that follows a live session. */
  phase: Phase;
}

/** A session's log: what there is of it in pages, then, until it has ended, what comes. */
export function useLog(session: string): Log {
  const [buffer, setBuffer] = useState(EMPTY);
  const [complete, setComplete] = useState(false);
  const [failed, setFailed] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const known = useRef(0);
  known.current = lastSeq(buffer);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is the wish to try again
  useEffect(() => {
    const left = new AbortController();
    setFailed(null);
    void (async () => {
      try {
        for (let after: number | null = known.current; after !== null; ) {
          const query = { after, limit: PAGE };
          const page: EventPage = await answered(
            api.GET("/v1/sessions/{session}/events", { params: { path: { session }, query }, signal: left.signal }),
          );
          if (left.signal.aborted) return;
          setBuffer((before) => add(before, page.events));
          after = page.next;
        }
        setComplete(true);
      } catch (error) {
        if (!left.signal.aborted) setFailed(error as ApiError);
      }
    })();
    return () => left.abort();
  }, [session, round]);

  const over = buffer.events.at(-1)?.type === "session.ended";
  const path = complete && !over ? addressOf(session, "/events/stream") : null;
  const { phase } = useStream(path, (come) => setBuffer((before) => takeAll(before, come)), String(known.current));
  return { buffer, complete, failed, again: () => setRound((before) => before + 1), phase };
}

/** What came at once is added at once: a batch of a thousand is no thousand copies. */
function takeAll(buffer: EventBuffer, come: readonly StreamEvent[]): EventBuffer {
  let taken = buffer;
  let waiting: LogEvent[] = [];
  for (const { event, data } of come) {
    if (event === "event") waiting.push(data as LogEvent);
    if (event !== "rewound") continue;
    taken = rewind(add(taken, waiting), (data as { after: number }).after);
    waiting = [];
  }
  return add(taken, waiting);
}
