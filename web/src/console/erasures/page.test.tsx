import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import ErasuresPage from "@/console/erasures/page";

let root: Root;
let page: HTMLElement;
let answer: () => Response;

beforeEach(() => {
  vi.stubGlobal("fetch", async () => answer());
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
});

afterEach(() => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

function open(erasures: object[] | null): void {
  answer = () =>
    erasures === null
      ? new Response(JSON.stringify({ detail: "the archive does not answer" }), { status: 403 })
      : new Response(JSON.stringify({ erasures }), { headers: { "Content-Type": "application/json" } });
  const { hook, searchHook } = memoryLocation({ path: "/erasures" });
  root.render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <Router hook={hook} searchHook={searchHook}>
        <ErasuresPage />
      </Router>
    </QueryClientProvider>,
  );
}

const shows = (words: string) => vi.waitFor(() => expect(page.textContent).toContain(words), { timeout: 4_000 });

test("Each deletion is told with when, by whom, and the hashes of what is gone; one that is not done says so.", async () => {
  const gone = { session: "a".repeat(64), hash: "b".repeat(64), bytes: 1, sound_bytes: 2 };
  open([
    {
      id: "feed",
      kind: "person",
      asked_by: "privacy-desk",
      asked_at: "2026-11-26T10:00:00.000Z",
      done_at: "2026-11-26T10:00:02.000Z",
      sessions: 2,
      removed: [gone, { ...gone, session: "c".repeat(64), hash: "" }],
    },
    {
      id: "beef",
      kind: "retention",
      asked_by: "retention",
      asked_at: "2026-11-26T09:00:00.000Z",
      done_at: null,
      sessions: 25,
      removed: Array.from({ length: 25 }, (_, number) => ({ ...gone, session: `${number}`.padStart(64, "0") })),
    },
    {
      id: "cafe",
      kind: "retention",
      asked_by: "retention",
      asked_at: "2026-11-26T08:00:00.000Z",
      done_at: null,
      sessions: 1_025,
      removed: [gone],
    },
  ]);
  await shows("All calls of a person");
  for (const words of ["by privacy-desk", "2 calls · feed", gone.session, gone.hash, "never archived"])
    await shows(words);
  for (const words of ["What was old enough", "not done yet", "25 calls · beef", "and 5 more"]) await shows(words);
  for (const words of ["1,025 calls · cafe", "and 1005 more"]) await shows(words);
});

test("Nothing deleted yet is said, and so is a list that can't be read.", async () => {
  open([]);
  await shows("Nothing was deleted yet");
});

test("A list that can’t be read can be tried again.", async () => {
  open(null);
  await shows("The proofs can’t be read");
  open([]);
  [...page.querySelectorAll("button")].find(({ textContent }) => textContent === "Try again")?.click();
  await shows("Nothing was deleted yet");
});
