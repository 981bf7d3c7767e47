import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import Afterwards from "@/console/session/keep/afterwards";
import { otherwise } from "@/console/session/keep/origin";
import type { SessionRow } from "@/console/session/model/shapes";

let root: Root;
let page: HTMLElement;
let told: Record<string, object>;

const ROW = { session: "s1", summary: "", topics: [], ended_at: "2026-11-26T10:00:00.000Z" } as unknown as SessionRow;
const DONE = { tries: 0, next_at: null, done_at: "2026-11-26T10:00:05.000Z", error: "", state: "done" };

beforeEach(() => {
  told = { "follow-ups": { archived: true, follow_ups: [] }, forks: { forks: [] } };
  vi.stubGlobal("fetch", async (asked: Request) => {
    const name = new URL(asked.url).pathname.split("/").at(-1) ?? "";
    return new Response(JSON.stringify(told[name]), { headers: { "Content-Type": "application/json" } });
  });
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
});

afterEach(() => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

function open(row: SessionRow, queries = new QueryClient()): void {
  const { hook, searchHook } = memoryLocation({ path: "/sessions/s1" });
  root.render(
    <QueryClientProvider client={queries}>
      <Router hook={hook} searchHook={searchHook}>
        <Afterwards row={row} />
      </Router>
    </QueryClientProvider>,
  );
}

const shows = (words: string) => vi.waitFor(() => expect(page.textContent).toContain(words), { timeout: 4_000 });

test("What a call was about, what became of each follow-up and what was made of it stand on its page.", async () => {
  told["follow-ups"] = {
    archived: true,
    follow_ups: [
      { ...DONE, id: "1", kind: "summary", about: "" },
      {
        id: "2",
        kind: "webhook",
        about: "session.ended",
        state: "failed",
        tries: 12,
        next_at: null,
        done_at: null,
        error: "example.com: it answered 500",
      },
      { id: "3", kind: "recording", about: "", state: "pending", tries: 0, next_at: null, done_at: null, error: "" },
    ],
  };
  told.forks = {
    forks: [{ session: "fork-s1-ab", made_at: DONE.done_at, turn: 3, changed: { instructions: "x" } }],
  };
  open({ ...ROW, summary: "They spoke of tables.", topics: ["tables", "Friday"] });
  await shows("They spoke of tables.");
  for (const words of ["tables", "Friday", "Summary made", "Recording to come"]) await shows(words);
  await shows("Webhook session.ended given up: Example.com: it answered 500.");
  await shows("Forked as fork-s1-ab, from turn 3 on, changed: instructions");
  const links = [...page.querySelectorAll("a")].map((link) => link.getAttribute("href"));
  expect(links).toEqual(["/sessions/fork-s1-ab", "/compare?a=s1&b=fork-s1-ab"]);
});

test("Of a call of which nothing came nothing is said; a summary that came later has the call read again.", async () => {
  const queries = new QueryClient();
  const again = vi.spyOn(queries, "invalidateQueries");
  open(ROW, queries);
  await vi.waitFor(() => expect(queries.getQueryData(["forks", "s1"])).toEqual({ forks: [] }));
  expect(page.textContent).toBe("");
  expect(again).not.toHaveBeenCalled();
  queries.setQueryData(["follow-ups", "s1"], { archived: true, follow_ups: [{ ...DONE, id: "1", kind: "summary" }] });
  await vi.waitFor(() => expect(again).toHaveBeenCalledWith({ queryKey: ["session", "s1"] }));
});

test.each([
  [null, {}, ""],
  [3, {}, ", from turn 3 on"],
  [null, { "turn_taking.barge_in": false }, ", changed: barge in"],
  [1, { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, ", from turn 1 on, changed: a, b, c, d and 2 more"],
])("A fork from turn %s with %o is told in a line.", (turn, changed, words) => {
  expect(otherwise(turn, changed)).toBe(words);
});
