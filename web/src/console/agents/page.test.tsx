import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Route, Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { MeContext } from "@/access/me";
import AgentsPage from "@/console/agents/page";

type Talk = ReadableStreamDefaultController<Uint8Array>;

let root: Root;
let page: HTMLElement;
let talk: Talk;
let files: Record<string, string> = {};

const etagOf = (toml: string) => `"${toml}"`;
const json = (body: object, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

beforeEach(async () => {
  sessionStorage.clear();
  files = { clerk: "one" };
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("fetch", async (asked: string | Request) => {
    if (typeof asked === "string") {
      const body = new ReadableStream<Uint8Array>({
        start(begun) {
          talk = begun;
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    }
    if (asked.url.endsWith("/validate")) return json({ problems: [], spec: null });
    const toml = files.clerk;
    if (toml === undefined) return json({ code: "missing", detail: "there is no agent clerk", errors: [] }, 404);
    return json({ name: "clerk", toml, spec: null, problem: "", locked: "", etag: etagOf(toml) });
  });
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
  const { hook, searchHook } = memoryLocation({ path: "/agents/clerk" });
  const features = { listen: false, livekit: false, phones: false, replay: false, websocket: true };
  const me = { name: "ann", role: "admin" as const, development: false, features };
  await act(async () =>
    root.render(
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <MeContext value={me}>
          <Router hook={hook} searchHook={searchHook}>
            <Route path="/agents/:agent">
              <AgentsPage />
            </Route>
          </Router>
        </MeContext>
      </QueryClientProvider>,
    ),
  );
  await tell();
  await until(() => expect(box().value).toBe("one"));
});

afterEach(async () => {
  await act(async () => root.unmount());
  page.remove();
  vi.unstubAllGlobals();
});

const box = () => page.querySelector("textarea") as HTMLTextAreaElement;
/** Renders happen where an `act` ends, and what is asked is answered in between. */
const until = (what: () => void) =>
  vi.waitFor(
    async () => {
      await act(async () => {});
      what();
    },
    { timeout: 4_000 },
  );

/** The stream says what lies there now. */
async function tell(): Promise<void> {
  const agents = Object.entries(files).map(([name, toml]) => {
    return { name, file: `${name}.toml`, is_default: false, problem: "", locked: "", etag: etagOf(toml) };
  });
  const text = `event: agents\ndata: ${JSON.stringify({ agents })}\n\n`;
  await act(async () => talk.enqueue(new TextEncoder().encode(text)));
}

async function type(text: string): Promise<void> {
  const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set;
  await act(async () => {
    set?.call(box(), text);
    box().dispatchEvent(new Event("input", { bubbles: true }));
  });
}

async function press(words: string): Promise<void> {
  const button = [...page.querySelectorAll("button")].find(({ textContent }) => textContent === words);
  await act(async () => button?.click());
}

test("a page that is open shows what somebody else has saved", async () => {
  files = { clerk: "two", shop: "new" };
  await tell();
  await until(() => expect(box().value).toBe("two"));
  expect(page.textContent).toContain("shop.toml");
});

test("what one is writing stays, and it is said that the file was changed", async () => {
  await type("mine");
  files = { clerk: "two" };
  await tell();
  await until(() => expect(page.textContent).toContain("changed on disk since you began"));
  expect(box().value).toBe("mine");
  await press("Drop mine, take theirs");
  expect([box().value, page.textContent?.includes("since you began")]).toEqual(["two", false]);
});

test("what one is writing outlives its file", async () => {
  await type("mine");
  files = {};
  await tell();
  await until(() => expect(page.textContent).toContain("deleted since you began"));
  expect(box().value).toBe("mine");
});

test("a file that is gone is gone from the page, too, where nothing was written", async () => {
  files = {};
  await tell();
  await until(() => expect(page.textContent).toContain("There is no agent clerk"));
});
