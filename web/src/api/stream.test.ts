import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepTicket, onRefused } from "@/api/client";
import { delayOf, follow, type Phase, type StreamEvent } from "@/api/stream";

type Answer = (signal: AbortSignal) => Response;

let asked: Headers[] = [];
let answers: Answer[] = [];
let stop = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answers = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    asked.push(new Headers(init.headers));
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("nobody listens");
    return answer(init.signal as AbortSignal);
  });
});

afterEach(() => {
  stop();
  keepTicket("");
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Streams `chunks`; open-ended where `open`. */
function stream(chunks: string[], open = false): Answer {
  return (signal) =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          signal.addEventListener("abort", () => open && controller.error(signal.reason));
          for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
          if (!open) controller.close();
        },
      }),
      { headers: { "Content-Type": "text/event-stream" } },
    );
}

function problem(status: number, headers: Record<string, string> = {}): Answer {
  return () => new Response(JSON.stringify({ code: "x", detail: "because", errors: [] }), { status, headers });
}

function watch(): { events: StreamEvent[]; phases: Phase["state"][] } {
  const seen = { events: [] as StreamEvent[], phases: [] as Phase["state"][] };
  stop = follow({
    path: "/v1/x",
    onEvents: (events) => seen.events.push(...events),
    onPhase: ({ state }) => seen.phases.push(state),
  });
  return seen;
}

test("it comes back after the last event that it saw", async () => {
  answers = [stream(["id: 1\nevent: a\ndata: {}\n\nid: 2\nda"]), stream(['id: 2\nevent: a\ndata: {"n":2}\n\n'], true)];
  const seen = watch();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked.map((headers) => headers.get("Last-Event-ID"))).toEqual([null, "2"]);
  expect(seen.events.map(({ id, data }) => [id, data])).toEqual([
    ["1", {}],
    ["2", { n: 2 }],
  ]);
  expect(seen.phases).toEqual(["connecting", "live", "waiting", "connecting", "live"]);
});

test("what the server ends is not asked for again", async () => {
  answers = [stream(["event: end\ndata: {}\n\n"], true)];
  const seen = watch();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked.length, seen.phases.at(-1)]).toEqual([1, "ended"]);
});

test("each try in vain waits longer, up to a limit; being online again ends the wait", async () => {
  expect([0, 1, 2, 20].map((failures) => delayOf(failures, 500, 1))).toEqual([500, 1_000, 2_000, 15_000]);
  expect(delayOf(2, 500, 0)).toBe(1_000);
  watch();
  await vi.advanceTimersByTimeAsync(60_000);
  const before = asked.length;
  expect(before).toBeLessThan(15);
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(asked.length).toBe(before + 1);
});

test("a server that says when to come back is taken at its word", async () => {
  answers = [problem(503, { "Retry-After": "7" })];
  watch();
  await vi.advanceTimersByTimeAsync(6_900);
  expect(asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(asked.length).toBe(2);
});

test("a 401 is told to the sign-in, and tried again with the ticket that it brings", async () => {
  const refused = vi.fn();
  const forget = onRefused(refused);
  answers = [problem(401), stream([], true)];
  const seen = watch();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked.length, seen.phases.at(-1)]).toEqual([1, "refused"]);
  expect(refused).toHaveBeenCalledOnce();
  keepTicket("t");
  await vi.advanceTimersByTimeAsync(0);
  expect(asked[1]?.get("Authorization")).toBe("Bearer t");
  forget();
});

test("a connection over which nothing comes any more is given up", async () => {
  answers = [stream([": here\n\n"], true), stream([], true)];
  watch();
  await vi.advanceTimersByTimeAsync(44_000);
  expect(asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked.length).toBe(2);
});

test("after it was stopped nothing is heard of it", async () => {
  answers = [stream(["data: 1\n\n"], true)];
  const seen = watch();
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([seen.events, seen.phases.filter((state) => state !== "connecting")]).toEqual([[], []]);
});
