import { useCallback, useEffect, useRef, useState } from "react";
import { type ApiError, authorization, BASE, onSignIn, problemOf } from "@/api/client";
import { EventParser } from "@/api/sse";

/** One event, its data read as JSON. */
export interface StreamEvent {
  event: string;
  id: string;
  data: unknown;
}

/** live: connected · waiting: it will be tried again, `because` says why · refused: it won't, until somebody asks · ended: the
 * server said that there is no more. */
export type Phase =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "waiting"; because: string }
  | { state: "refused"; error: ApiError }
  | { state: "ended" };

interface Wishes {
  /** Below the API, such as /v1/sessions/stream. */
  path: string;
  /** What came with one chunk, in order: never empty. */
  onEvents: (events: StreamEvent[]) => void;
  onPhase?: (phase: Phase) => void;
  /** Go on after this id. */
  after?: string;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;
/** Milliseconds without a byte after which a connection counts as dead. Servers send a comment every 15 s at the latest. */
const SILENCE = 45_000;
/** The server's word for "there is no more". */
const END = "end";

/** How long to wait before the next try, after so many in a row that brought nothing. `dice`: 0 to 1. */
export function delayOf(failures: number, first = FIRST_DELAY, dice = Math.random()): number {
  const most = Math.min(LONGEST_DELAY, first * 2 ** Math.min(failures, 10));
  return most / 2 + (most / 2) * dice;
}

/** Follows a stream of server-sent events until the answered function is called: comes back after the last event it saw, waits
 * longer each time in vain, and at once when the machine is online again or somebody signed in. */
export function follow({ path, onEvents, onPhase, after = "" }: Wishes): () => void {
  const over = new AbortController();
  const say = (phase: Phase) => {
    if (!over.signal.aborted) onPhase?.(phase);
  };
  void (async () => {
    const parser = { lastId: after, retryAfter: null as number | null };
    let failures = 0;
    while (!over.signal.aborted) {
      say({ state: "connecting" });
      let because = "The connection was closed.";
      let pause: number | null = null;
      try {
        const outcome = await once(
          path,
          parser,
          over.signal,
          () => say({ state: "live" }),
          (events) => {
            failures = 0;
            if (!over.signal.aborted) onEvents(events);
          },
        );
        if (outcome === "ended") return say({ state: "ended" });
      } catch (error) {
        if (over.signal.aborted) return;
        if (error instanceof Refusal) {
          because = error.problem.message;
          pause = error.pause;
          if (error.problem.forGood) {
            say({ state: "refused", error: error.problem });
            await change(over.signal);
            continue;
          }
        } else because = "The API does not answer.";
      }
      say({ state: "waiting", because });
      await change(over.signal, pause ?? delayOf(failures++, parser.retryAfter ?? FIRST_DELAY));
    }
  })();
  return () => over.abort();
}

/** The server answered, and said no. `pause`: milliseconds it asks for. */
class Refusal extends Error {
  constructor(
    readonly problem: ApiError,
    readonly pause: number | null,
  ) {
    super(problem.message);
  }
}

/** One connection, to its end. */
async function once(
  path: string,
  kept: { lastId: string; retryAfter: number | null },
  over: AbortSignal,
  onOpen: () => void,
  onEvents: (events: StreamEvent[]) => void,
): Promise<"ended" | "closed"> {
  const dead = new AbortController();
  const watch = new Watchdog(() => dead.abort());
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream", ...authorization() };
    if (kept.lastId) headers["Last-Event-ID"] = kept.lastId;
    const signal = AbortSignal.any([over, dead.signal]);
    const response = await fetch(BASE + path, { headers, signal, cache: "no-store" });
    if (response.status === 204) return "ended";
    if (!response.ok || response.body === null) {
      const seconds = Number(response.headers.get("Retry-After") || Number.NaN);
      throw new Refusal(
        await problemOf(response, headers.Authorization ?? null),
        Number.isFinite(seconds) ? seconds * 1_000 : null,
      );
    }
    onOpen();
    const parser = new EventParser(kept.lastId);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      watch.pat();
      if (done) return "closed";
      const events = parser.push(value).map(({ event, id, data }) => ({ event, id, data: read(data) }));
      kept.lastId = parser.lastId;
      kept.retryAfter = parser.retryAfter;
      if (events.length > 0) onEvents(events);
      if (events.some(({ event }) => event === END)) {
        dead.abort();
        return "ended";
      }
    }
  } finally {
    watch.stop();
  }
}

function read(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Barks when nobody pats it for a while. */
class Watchdog {
  private timer = 0;

  constructor(private readonly bark: () => void) {
    this.pat();
  }

  pat(): void {
    this.stop();
    this.timer = window.setTimeout(this.bark, SILENCE);
  }

  stop(): void {
    window.clearTimeout(this.timer);
  }
}

/** Until `pause` is over (never, where none is given), or something happens that makes another try worth it. */
function change(over: AbortSignal, pause?: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = pause === undefined ? 0 : window.setTimeout(done, pause);
    const forget = onSignIn(done);
    function done() {
      window.clearTimeout(timer);
      forget();
      window.removeEventListener("online", done);
      over.removeEventListener("abort", done);
      resolve();
    }
    window.addEventListener("online", done);
    over.addEventListener("abort", done);
  });
}

/** Follows `path` while the component is there; null: nothing. `onEvents` may be another function each time. Answers how the
 * stream stands, and how to begin again. Whoever changes `path` begins without a last id. */
export function useStream(
  path: string | null,
  onEvents: (events: StreamEvent[]) => void,
  after = "",
): { phase: Phase; restart: () => void } {
  const [phase, setPhase] = useState<Phase>({ state: "connecting" });
  const [round, setRound] = useState(0);
  const latest = useRef(onEvents);
  const from = useRef(after);
  useEffect(() => {
    latest.current = onEvents;
    from.current = after;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is the wish to begin again
  useEffect(() => {
    if (path === null) return;
    return follow({
      path,
      after: from.current,
      onPhase: setPhase,
      onEvents: (events) => latest.current(events),
    });
  }, [path, round]);
  return { phase, restart: useCallback(() => setRound((before) => before + 1), []) };
}
