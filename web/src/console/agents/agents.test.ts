import { afterEach, expect, test } from "vitest";
import {
  begin,
  beginOf,
  byLine,
  drop,
  type Editing,
  edit,
  flatten,
  isChanged,
  keep,
  kept,
  problemOfName,
} from "@/console/agents/editing";

const ONE = { toml: "name = 1", etag: '"1"' };
const TWO = { toml: "name = 2", etag: '"2"' };

afterEach(() => sessionStorage.clear());

function after(...actions: Parameters<typeof edit>[1][]): Editing {
  return actions.reduce(edit, begin(ONE));
}

test("a file that changes is shown as it is now, unless somebody has begun to write", () => {
  expect(after({ type: "read", file: TWO }).text).toBe(TWO.toml);
  const writing = after({ type: "typed", text: "mine" }, { type: "read", file: TWO });
  expect([writing.text, writing.base?.etag]).toEqual(["mine", '"1"']);
});

test("what was written is never lost to a file that changes; that it has changed is said until one chooses, or it is as it was", () => {
  const writing = after({ type: "typed", text: "mine" }, { type: "read", file: TWO });
  expect([writing.text, writing.base, writing.conflict]).toEqual(["mine", ONE, TWO]);
  expect(edit(writing, { type: "typed", text: "mine, too" }).conflict).toEqual(TWO);
  expect(edit(writing, { type: "read", file: ONE })).toEqual({ base: ONE, text: "mine", conflict: null });
  expect(edit(writing, { type: "reverted" })).toEqual(begin(TWO));
  expect(after({ type: "typed", text: TWO.toml }, { type: "read", file: TWO })).toEqual(begin(TWO));
});

test("what one has saved oneself is nobody else's change, heard of before the answer or after it", () => {
  const file = { toml: "a", etag: '"a"' };
  const writing = after({ type: "typed", text: "a" }, { type: "sent" }, { type: "typed", text: "ab" });
  const told = edit(writing, { type: "read", file });
  expect([told.text, told.base, told.conflict]).toEqual(["ab", file, null]);
  const saved = edit(told, { type: "saved", file });
  expect(edit(saved, { type: "read", file })).toEqual(saved);
});

test("a file that is deleted takes nothing with it that was written", () => {
  expect(after({ type: "gone" }).conflict).toBeNull();
  expect(after({ type: "typed", text: "mine" }, { type: "gone" })).toEqual({
    base: ONE,
    text: "mine",
    conflict: "gone",
  });
  expect(edit(begin(null, "new"), { type: "gone" })).toEqual(begin(null, "new"));
});

test("what is typed while it is being saved is a change of what was saved", () => {
  const now = after(
    { type: "typed", text: "a" },
    { type: "typed", text: "ab" },
    { type: "saved", file: { toml: "a", etag: '"a"' } },
  );
  expect([now.text, isChanged(now), now.base?.etag]).toEqual(["ab", true, '"a"']);
});

test("in a conflict nothing is lost until one says whose text counts", () => {
  const conflict = after({ type: "typed", text: "mine" }, { type: "refused", file: TWO });
  expect([conflict.text, conflict.base?.etag, conflict.conflict]).toEqual(["mine", '"1"', TWO]);
  expect(edit(conflict, { type: "theirs" })).toEqual(begin(TWO));
  expect(edit(conflict, { type: "mine" })).toEqual({ base: TWO, text: "mine", conflict: null });
});

test("a file that was deleted meanwhile can be made anew, and there is nothing of theirs to take", () => {
  const gone = after({ type: "typed", text: "mine" }, { type: "refused", file: null });
  expect(edit(gone, { type: "theirs" })).toBe(gone);
  expect(edit(gone, { type: "mine" }).base).toBeNull();
});

test("what was not saved is there again when one comes back, until it is saved or dropped", () => {
  keep("a", after({ type: "typed", text: "mine" }));
  expect(kept("a")).toEqual({ base: ONE, text: "mine", conflict: null });
  keep("a", after());
  expect(kept("a")).toBeNull();
  keep("new", begin(null, "x"));
  expect(kept("new")?.base).toBeNull();
  drop("new");
  expect(kept("new")).toBeNull();
  sessionStorage.setItem("antiphon.agent.b", "{");
  expect(kept("b")).toBeNull();
});

test("a name that can't be saved is refused before it is sent", () => {
  expect(["", "receptionist-2", "a_b"].map((name) => problemOfName(name, []))).toEqual(["", "", ""]);
  for (const bad of ["../x", "a b", "-a", "draft-1", "a".repeat(65), "ü", "taken"])
    expect(problemOfName(bad, ["taken"]), bad).not.toBe("");
});

test("problems stand at their lines, those of no line by themselves", () => {
  const problems = [
    { line: 3, message: "a" },
    { line: null, message: "b" },
    { line: 3, message: "c" },
  ];
  expect([...byLine(problems)]).toEqual([
    [3, "a; c"],
    [0, "b"],
  ]);
  expect([1, 2, 3, 9].map((line) => beginOf("ab\n\ncd", line))).toEqual([0, 3, 4, 6]);
});

test("a spec is told setting by setting", () => {
  expect(flatten({ name: "x", voice: { speed: 1, name: "" }, list: ["a"], options: {} })).toEqual([
    ["name", '"x"'],
    ["voice.speed", "1"],
    ["voice.name", '""'],
    ["list", '["a"]'],
    ["options", "{}"],
  ]);
});
