import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import LatencyPage from "@/console/latency/page";

type Talk = ReadableStreamDefaultController<Uint8Array>;

let root: Root;
let page: HTMLElement;
let streams: { address: string; talk: Talk; left: boolean }[] = [];

beforeEach(async () => {
  streams = [];
  vi.stubGlobal("fetch", async (asked: string | Request, init?: RequestInit) => {
    if (typeof asked !== "string")
      return new Response(JSON.stringify({ agents: [{ name: "clerk", is_default: true }] }));
    const body = new ReadableStream<Uint8Array>({
      start(talk) {
        const one = { address: asked, talk, left: false };
        streams.push(one);
        init?.signal?.addEventListener("abort", () => {
          one.left = true;
        });
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  });
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
  const { hook, searchHook } = memoryLocation({ path: "/latency" });
  root.render(
    <QueryClientProvider client={new QueryClient()}>
      <Router hook={hook} searchHook={searchHook}>
        <LatencyPage />
      </Router>
    </QueryClientProvider>,
  );
});

afterEach(async () => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

const figures = { count: 1, p50_ms: 640, p95_ms: 640, parts: {} };

function latency(count: number): object {
  const at = "2026-11-26T10:00:00.000Z";
  const all = { ...figures, count, from_at: "2026-11-26T09:59:00.000Z" };
  const total = count ? all : null;
  return {
    since: "2026-11-26T09:00:00.000Z",
    at,
    bucket_s: 10,
    buckets: count ? [all] : [],
    total,
    slowest: [],
    unread: 0,
  };
}

async function tell(event: string, data: object): Promise<void> {
  await until(() => expect(streams.length).toBeGreaterThan(0));
  streams.at(-1)?.talk.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
}

const until = (what: () => void) => vi.waitFor(what, { timeout: 4_000 });

const shows = (words: string) => until(() => expect(page.textContent).toContain(words));

test("figures are those the stream told last; while the log is away they are said to be old", async () => {
  await tell("latency", latency(0));
  await shows("Nothing was answered in this time");
  await tell("latency", latency(2));
  await shows("2 answers");
  await shows("Live");
  await tell("away", { detail: "the log does not answer" });
  await shows("These figures are old: the log does not answer");
  await tell("latency", latency(3));
  await shows("3 answers");
  expect(page.textContent).not.toContain("old");
  expect(streams.length).toBe(1);
});

test("another window is another stream, and what was there stays until it speaks", async () => {
  await tell("latency", latency(2));
  await shows("2 answers");
  const choice = [...page.querySelectorAll("label, button")].find(({ textContent }) => textContent === "15 min");
  (choice as HTMLElement).click();
  await until(() => expect(streams.length).toBe(2));
  expect([streams[0]?.left, new URL(streams[1]?.address ?? "").search]).toEqual([true, "?seconds=900&agent="]);
  await shows("2 answers");
  await tell("latency", latency(1));
  await shows("1 answer");
});
