import { act } from "react";
import { afterEach, expect, test } from "vitest";
import { talkTo } from "@/call/asked";
import { setCurrent } from "@/call/current";
import CallPage from "@/call/page";
import { running } from "@/call/running";
import { rendered } from "@/rendered";

afterEach(() => {
  setCurrent(null);
  window.history.replaceState(null, "", "/");
});

test("A draft that is tried in mid-call is not passed over: the running call can be left, and then one talks to the draft.", async () => {
  const { call } = await running({}, "draft-1");
  setCurrent(call);
  await new Promise((resolve) => setTimeout(resolve, 2)); // it is asked for later than the call began
  talkTo("draft-2");
  const { page, close } = await rendered(<CallPage />);
  expect(page.textContent).toContain("The call with draft-1 is still on. The draft can be tried after leaving it.");
  await act(async () => page.querySelector("button")?.click());
  expect(call.getSnapshot().call.link.phase).toBe("over");
  expect(page.querySelector("h1")?.textContent).toBe("Talk to the agent");
  await close();
});
