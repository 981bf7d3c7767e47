import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import { talkTo } from "@/call/asked";
import { Call } from "@/call/call";
import { setCurrent } from "@/call/current";
import CallPage from "@/call/page";
import type { Listener, Transport } from "@/call/transport/transport";

afterEach(() => {
  setCurrent(null);
  window.history.replaceState(null, "", "/");
  vi.unstubAllGlobals();
});

/** A call that is connected, and over once it is left. */
async function running(agent: string): Promise<Call> {
  let tell: Listener = () => {};
  const transport = {
    kind: "websocket",
    video: null,
    start: async (listener: Listener) => {
      tell = listener;
      tell({ type: "link", link: { phase: "connected" } });
    },
    leave: async () => tell({ type: "link", link: { phase: "over", why: "You left the call.", failed: false } }),
  } as unknown as Transport;
  const call = new Call({ kind: "websocket", name: "", room: "", agent }, transport);
  await call.start(null);
  return call;
}

test("A draft that is tried in mid-call is not passed over: the running call can be left, and then one talks to the draft.", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const main = document.body.appendChild(document.createElement("main"));
  const root = createRoot(main);
  const call = await running("draft-1");
  setCurrent(call);
  await new Promise((resolve) => setTimeout(resolve, 2)); // it is asked for later than the call began
  talkTo("draft-2");
  await act(async () => root.render(<CallPage />));
  expect(main.textContent).toContain("The call with draft-1 is still on. The draft can be tried after leaving it.");
  await act(async () => main.querySelector("button")?.click());
  expect(call.getSnapshot().call.link.phase).toBe("over");
  expect(main.querySelector("h1")?.textContent).toBe("Talk to the agent");
  await act(async () => root.unmount());
});
