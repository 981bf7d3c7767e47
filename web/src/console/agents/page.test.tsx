import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Route, Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { MeContext } from "@/access/me";
import AgentsPage from "@/console/agents/page";

type Talk = ReadableStreamDefaultController<Uint8Array>;

let root: Root;
let page: HTMLElement;
let talk: Talk | undefined;
let files: Record<string, string> = {};

const etagOf = (toml: string) => `"${toml}"`;
const json = (body: object, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

beforeEach(async () => {
  sessionStorage.clear();
  talk = undefined;
  files = { clerk: "one" };
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
  );
  await tell();
  await until(() => expect(box().value).toBe("one"));
});

afterEach(async () => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

const box = () => page.querySelector("textarea") as HTMLTextAreaElement;
const until = (what: () => void) => vi.waitFor(what, { timeout: 4_000 });

/** The stream says what lies there now. */
async function tell(): Promise<void> {
  const agents = Object.entries(files).map(([name, toml]) => {
    return { name, file: `${name}.toml`, is_default: false, problem: "", locked: "", etag: etagOf(toml) };
  });
  const text = `event: agents\ndata: ${JSON.stringify({ agents })}\n\n`;
  await until(() => expect(talk).toBeDefined());
  talk?.enqueue(new TextEncoder().encode(text));
}

function type(text: string): void {
  const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set;
  set?.call(box(), text);
  box().dispatchEvent(new Event("input", { bubbles: true }));
}

function press(words: string): void {
  const button = [...page.querySelectorAll("button")].find(({ textContent }) => textContent === words);
  button?.click();
}

test("a page that is open shows what somebody else has saved", async () => {
  files = { clerk: "two", shop: "new" };
  await tell();
  await until(() => expect(box().value).toBe("two"));
  await until(() => expect(page.textContent).toContain("shop.toml"));
});

test("what one is writing stays, and it is said that the file was changed", async () => {
  type("mine");
  files = { clerk: "two" };
  await tell();
  await until(() => expect(page.textContent).toContain("changed on disk since you began"));
  expect(box().value).toBe("mine");
  press("Drop mine, take theirs");
  await until(() => expect(box().value).toBe("two"));
  expect(page.textContent).not.toContain("since you began");
});

test("what one is writing outlives its file", async () => {
  type("mine");
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
