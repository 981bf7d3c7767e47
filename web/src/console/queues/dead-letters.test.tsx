import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DeadLetters } from "@/console/queues/dead-letters";

let root: Root;
let page: HTMLElement;
let answers: (() => Promise<Response>)[] = [];
let asked = 0;

beforeEach(() => {
  asked = 0;
  vi.stubGlobal("fetch", async ({ signal }: Request) => {
    asked += 1;
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("nobody listens");
    return Promise.race([
      answer(),
      new Promise<never>((_, no) => signal.addEventListener("abort", () => no(signal.reason))),
    ]);
  });
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
});

afterEach(async () => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

const queries = () => new QueryClient({ defaultOptions: { queries: { retry: false } } });

function letters(...ids: string[]): () => Promise<Response> {
  const told = ids.map((id) => ({
    id,
    session: "s",
    stage: "llm",
    job: `job ${id}`,
    attempt: 1,
    reason: "no model",
    at: "2026-11-26T10:00:00.000Z",
    retryable: true,
  }));
  const body = JSON.stringify({ letters: told, next: null });
  return async () => new Response(body, { headers: { "Content-Type": "application/json" } });
}

const shown = () => [...page.querySelectorAll("li .font-mono")].map((each) => each.textContent);

function show(client: QueryClient, count: number, mark: string): void {
  root.render(
    <QueryClientProvider client={client}>
      <DeadLetters count={count} mark={mark} />
    </QueryClientProvider>,
  );
}

const until = (what: () => void) => vi.waitFor(what, { timeout: 4_000 });

test("letters are read when the stream says that any came or went, and not before", async () => {
  const client = queries();
  answers = [letters("b", "a"), letters("c", "b")];
  show(client, 2, "first");
  await until(() => expect(shown()).toEqual(["job b", "job a"]));
  show(client, 2, "first");
  expect(client.isFetching()).toBe(0);
  show(client, 2, "second");
  await until(() => expect(shown()).toEqual(["job c", "job b"]));
  expect(asked).toBe(2);
});

test("an answer that was on its way before a letter came does not stand for what is now", async () => {
  const client = queries();
  let late = (_: Response) => {};
  const first = new Promise<Response>((resolve) => {
    late = resolve;
  });
  answers = [() => first, letters("new")];
  show(client, 1, "first");
  await until(() => expect(asked).toBe(1));
  show(client, 1, "second");
  late(await letters("old")());
  await until(() => expect(shown()).toEqual(["job new"]));
  expect(asked).toBe(2);
});

test("in a storm of marks letters are read at once, then seldom, and the last mark is not forgotten", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const client = queries();
    const begun = asked;
    answers = Array.from({ length: 12 }, (_, number) => letters(`reading ${number}`));
    show(client, 1, "before");
    await vi.waitFor(() => expect(shown()).toEqual(["job reading 0"]));
    for (let second = 1; second <= 12; second++) {
      show(client, second, `mark ${second}`);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    const inStorm = asked - begun;
    expect([inStorm, shown()]).toEqual([4, ["job reading 3"]]); // the first of all, and after 0, 5 and 10 s
    await vi.advanceTimersByTimeAsync(60_000);
    expect([asked - begun, shown()]).toEqual([5, ["job reading 4"]]); // for the last mark, and no more
  } finally {
    vi.useRealTimers();
  }
});
