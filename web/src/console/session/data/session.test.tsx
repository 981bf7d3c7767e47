import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useSession } from "@/console/session/data/session";
import { add, EMPTY } from "@/console/session/model/buffer";
import type { LogEvent } from "@/console/session/model/shapes";
import { rendered } from "@/rendered";

let close = async () => {};
let queries: QueryClient;

beforeEach(() => {
  vi.useFakeTimers();
  queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
});
afterEach(async () => {
  await close();
  vi.useRealTimers();
});

function Page({ events }: { events: number }) {
  const come = Array.from({ length: events }, (_, index) => ({ seq: index + 1, type: "x" }) as unknown as LogEvent);
  const { data } = useSession("a", add(EMPTY, come));
  return <p>{data?.row.events}</p>;
}

/** The page of a session of one event, how it is shown once it has more of them, and what the API answers from now on. */
async function shownOf() {
  const fetch = vi.fn(async () => Response.json({ row: { events: 1 } }));
  vi.stubGlobal("fetch", fetch);
  const page = (events: number) => (
    <QueryClientProvider client={queries}>
      <Page events={events} />
    </QueryClientProvider>
  );
  const shown = await rendered(page(1));
  close = shown.close;
  await pass(0);
  expect(shown.page.textContent).toBe("1");
  return {
    text: () => shown.page.textContent,
    grow: (events: number) => shown.render(page(events)),
    answer: (status: number, body: object = { code: "x", detail: "no", errors: [] }) =>
      void fetch.mockImplementation(async () => Response.json(body, { status })),
    times: () => fetch.mock.calls.length,
  };
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

test("A session that could not be read after its last event is read again, with pauses.", async () => {
  const { answer, grow, times, text } = await shownOf();
  answer(503);
  await grow(2);
  await pass(1_100);
  expect(times()).toBe(2);
  await pass(4_500);
  expect(times()).toBe(2);
  answer(200, { row: { events: 2 } });
  await pass(1_000);
  expect([times(), text()]).toEqual([3, "2"]);
  await pass(60_000);
  expect(times()).toBe(3);
});

test("What the API refuses for good is not asked for again.", async () => {
  const { answer, grow, times } = await shownOf();
  answer(403);
  await grow(2);
  await pass(60_000);
  expect(times()).toBe(2);
});
