import { expect, test, vi } from "vitest";
import type { StreamEvent } from "@/api/stream";
import { Feed } from "@/console/sessions/feed";
import { type Filters, filtersOf, matches, NO_FILTERS, queryOf, searchOf } from "@/console/sessions/filters";
import { Rows } from "@/console/sessions/rows";
import { step } from "@/console/shared/keys";
import { callers, endOf, lasted, type Row } from "@/console/shared/row";

function row(session: string, change: Partial<Row> = {}): Row {
  return {
    session,
    state: "open",
    agent: "default",
    room: "lobby",
    transport: "websocket",
    participants: [{ identity: "caller", name: "Ann", kind: "standard", present: true, speaking: false }],
    started_at: "2026-11-26T10:00:00.000Z",
    last_at: "2026-11-26T10:00:01.000Z",
    ended_at: null,
    duration_s: 1,
    p50_ms: null,
    events: 1,
    gateway: "g",
    turns: 0,
    last_ms: null,
    worst_ms: null,
    activity: "listening",
    ended: null,
    interrupted: 0,
    restarts: 0,
    failed: 0,
    cut_off: 0,
    unanswered: 0,
    troubles: 0,
    summary: "",
    topics: [],
    variant: "",
    fields: {},
    result: null,
    result_error: "",
    ...change,
  };
}

test("filters live in the address: what was written is read again, and nothing stands there for none", () => {
  const named = { q: "ann & bob", state: "open", agent: "x", transport: "sip" } as const;
  const filters = { ...named, slow: "1500", failed: true, forks: "none" } as const;
  expect(filtersOf(searchOf(filters))).toEqual(filters);
  expect([searchOf(NO_FILTERS), filtersOf("")]).toEqual(["", NO_FILTERS]);
  expect(queryOf(filters)).toMatchObject({ slow_ms: 1500, failed: true, forks: false });
  expect([queryOf({ ...NO_FILTERS, forks: "only" }).forks, queryOf(NO_FILTERS).forks]).toEqual([true, undefined]);
});

test("an address that somebody made up does no harm", () => {
  expect(filtersOf("?state=haunted&slow=-1&failed=maybe&forks=some&constructor=x")).toEqual(NO_FILTERS);
  expect(filtersOf(`?q=${"a".repeat(10_000)}`).q.length).toBe(200);
});

test("every filter lets pass what it names, and nothing else", () => {
  const one = row("s", { worst_ms: 1400, failed: 1 });
  for (const [good, bad] of [
    [{ q: "AN" }, { q: "bob" }],
    [{ state: "open" }, { state: "closed" }],
    [{ agent: "default" }, { agent: "x" }],
    [{ transport: "websocket" }, { transport: "sip" }],
    [{ slow: "1400" }, { slow: "1401" }],
    [{ forks: "none" }, { forks: "only" }],
  ] as const) {
    expect(matches(one, { ...NO_FILTERS, ...good })).toBe(true);
    expect(matches(one, { ...NO_FILTERS, ...bad })).toBe(false);
  }
  const passes = (forks: Filters["forks"]) => matches(row("fork-s-1"), { ...NO_FILTERS, forks });
  expect([passes("none"), passes("only"), passes("")]).toEqual([false, true, true]);
  const rows = [one, row("s"), row("s", { unanswered: 1 }), row("s", { cut_off: 1 })];
  expect(rows.map((each) => matches(each, { ...NO_FILTERS, failed: true }))).toEqual([true, false, true, false]);
});

test("the newest session stands first, whatever order they came in", () => {
  const rows = new Rows(() => true);
  rows.merge([
    row("a", { started_at: "2026-11-26T10:00:01.000Z" }),
    row("b", { started_at: "2026-11-26T10:00:03.000Z" }),
  ]);
  rows.merge([row("c", { started_at: "2026-11-26T10:00:02.000Z" })]);
  expect(rows.list()).toEqual(["b", "c", "a"]);
});

test("a row that changes is heard of by who shows it, and by nobody else", () => {
  const rows = new Rows(() => true);
  rows.merge([row("a"), row("b")]);
  const [list, a, b] = [vi.fn(), vi.fn(), vi.fn()];
  rows.onList(list);
  rows.onRow("a", a);
  rows.onRow("b", b);
  const before = rows.list();
  rows.merge([row("a", { turns: 1 }), row("b")]);
  expect([list, a, b].map((listener) => listener.mock.calls.length)).toEqual([0, 1, 0]);
  expect(rows.list()).toBe(before);
  expect(rows.row("a")?.turns).toBe(1);
});

test("a row that no longer belongs leaves the list, as one that is gone does", () => {
  const rows = new Rows(({ state }) => state === "open");
  rows.merge([row("a"), row("b"), row("c")]);
  rows.merge([row("a", { state: "closed" })]);
  rows.remove(["b", "never"]);
  expect(rows.list()).toEqual(["c"]);
});

test("who ceased to listen is left alone", () => {
  const rows = new Rows(() => true);
  rows.merge([row("a")]);
  const tell = vi.fn();
  rows.onRow("a", tell)();
  rows.onList(tell)();
  rows.merge([row("a", { turns: 2 }), row("b")]);
  expect(tell).not.toHaveBeenCalled();
});

/** A message of the stream. */
function message(changed: Row[], whole = false, more = false): StreamEvent {
  return { event: "rows", id: "", data: { whole, more, changed, gone: [] } };
}

test("when the stream begins, live sessions that it does not name are live no more", () => {
  const rows = new Rows(() => true);
  rows.merge([row("a"), row("b"), row("c", { state: "closed" })]);
  new Feed(async () => []).take(rows, [message([row("b")], true)]);
  expect(rows.list()).toEqual(["c", "b"]);
});

test("after a gap in the stream what ended meanwhile is shown as ended, also what began meanwhile", async () => {
  const rows = new Rows(() => true);
  const stored = { sessions: [row("a", { state: "closed" }), row("new", { state: "closed" })] };
  const feed = new Feed(async () => [stored]);
  feed.take(rows, [message([row("a"), row("b"), row("lost")], true)]);
  const list = vi.fn();
  rows.onList(list);
  feed.take(rows, [message([row("b")], true)]);
  expect([rows.list(), list.mock.calls.length]).toEqual([["lost", "b", "a"], 0]);
  await vi.waitFor(() => expect(rows.list()).toEqual(["new", "b", "a"]));
  expect(rows.row("a")?.state).toBe("closed");
});

test("live sessions that come in parts all stay where they are", () => {
  const rows = new Rows(() => true);
  rows.merge([row("a"), row("b"), row("c")]);
  const list = vi.fn();
  rows.onList(list);
  const feed = new Feed(async () => []);
  feed.take(rows, [message([row("a")], true, true)]);
  feed.take(rows, [message([row("b")], false, true), message([row("c")])]);
  expect([rows.list(), list.mock.calls.length]).toEqual([["c", "b", "a"], 0]);
});

test("a live session's time goes on, an ended one's stands", () => {
  const now = Date.parse("2026-11-26T10:01:00.000Z");
  expect([lasted(row("a"), now), lasted(row("a", { state: "closed" }), now)]).toEqual([60, 1]);
  expect(lasted(row("a", { duration_s: 90 }), now)).toBe(90);
});

test("a session is called after its people, and its end is told in words", () => {
  const agent = { identity: "agent", name: "", kind: "agent", present: true, speaking: false };
  const phone = { identity: "+49", name: "", kind: "sip", present: false, speaking: false };
  expect([callers(row("a", { participants: [agent, phone] })), callers(row("a", { participants: [agent] }))]).toEqual([
    "+49",
    "Nobody yet",
  ]);
  expect([endOf(row("a", { ended: "hang_up" })), endOf(row("a", { ended: "new" })), endOf(row("a"))]).toEqual([
    "hung up",
    "new",
    "",
  ]);
});

test("a page is old news: it overwrites nothing that the stream has told since, and brings nothing back", () => {
  const rows = new Rows(() => true);
  const page = { sessions: [row("a"), row("b")] };
  rows.merge([row("a", { turns: 5, last_at: "2026-11-26T10:00:09.000Z" })]);
  rows.mergePage(page);
  rows.remove(["b"]);
  rows.mergePage(page);
  expect([rows.list(), rows.row("a")?.turns]).toEqual([["a"], 5]);
});

test("keys go through the list and stop at its ends", () => {
  expect(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End", "x"].map((key) => step(key, 5, 10, 3))).toEqual([
    6,
    4,
    8,
    2,
    0,
    9,
    null,
  ]);
  expect([step("ArrowUp", 0, 10, 3), step("PageDown", 9, 10, 3), step("ArrowDown", 0, 0, 3)]).toEqual([0, 9, null]);
});
