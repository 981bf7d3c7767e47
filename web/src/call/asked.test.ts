import { afterEach, expect, test } from "vitest";
import { type Asked, addressOf, askedBy, talkTo, viewOf } from "@/call/asked";
import { stillOn } from "@/call/ui/still-on";

const NOTHING: Asked = { agent: "", at: 0 };
const DRAFT: Asked = { agent: "draft-2", at: 200 };

afterEach(() => window.history.replaceState(null, "", "/"));

test("an agent that is asked for after the last call ended is there to talk to, and not the end of that call", () => {
  expect(viewOf(DRAFT, { since: 100, over: true }, false)).toBe("start");
  expect(viewOf(NOTHING, { since: 100, over: true }, false)).toBe("call");
});

test("who asks for an agent in mid-call is told that the call is still on", () => {
  expect(viewOf(DRAFT, { since: 100, over: false }, false)).toBe("still on");
  expect(viewOf(NOTHING, { since: 100, over: false }, false)).toBe("call");
  expect(stillOn("clerk", "draft-2")).toBe("The call with clerk is still on. The draft can be tried after leaving it.");
  expect(stillOn("", "clerk")).toBe("The call with the agent is still on. You can talk to clerk after leaving it.");
});

test("the call that was begun for an agent is shown, as is its end when one comes back to where an earlier one was asked for", () => {
  expect(viewOf(DRAFT, { since: 300, over: false }, false)).toBe("call");
  expect(viewOf(DRAFT, { since: 300, over: true }, false)).toBe("call");
});

test("a call that an earlier page left waits before any other is begun", () => {
  expect(viewOf(DRAFT, null, true)).toBe("waiting");
  expect(viewOf(DRAFT, null, false)).toBe("start");
});

test("the history remembers when an agent was asked for, and nothing of addresses that ask for none", () => {
  const before = Date.now();
  talkTo("a b");
  expect(window.location.search).toBe("?agent=a%20b");
  const asked = askedBy(window.location.search, window.history.state);
  expect(asked.agent).toBe("a b");
  expect(asked.at).toBeGreaterThanOrEqual(before);
  expect(askedBy("", { asked: 7 })).toEqual(NOTHING);
  for (const state of [null, 7, {}, { asked: "soon" }]) expect(askedBy("?agent=x", state).at).toBe(0);
  expect(addressOf("clerk")).toBe("/?agent=clerk");
});
