import { afterEach, expect, test, vi } from "vitest";
import { Call } from "@/call/call";
import { setCurrent } from "@/call/current";
import { MOST_LINES } from "@/call/model/transcript";
import type { Listener, Transport } from "@/call/transport/transport";

afterEach(() => {
  setCurrent(null);
  vi.restoreAllMocks();
});

/** A call of this page into which somebody shares a file at each of these addresses, how to type into it, and what was given back. */
async function sharing(...urls: string[]) {
  const revoke = vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => {});
  let tell: Listener = () => {};
  const transport = {
    kind: "livekit",
    video: null,
    start: async (listener: Listener) => {
      tell = listener;
    },
    leave: async () => tell({ type: "link", link: { phase: "over", why: "You left the call.", failed: false } }),
  } as unknown as Transport;
  const call = new Call({ kind: "livekit", name: "", room: "", agent: "" }, transport);
  await call.start(null);
  setCurrent(call);
  for (const url of urls) tell({ type: "file", id: url, participant: "ann", name: "plan", size: 1, url });
  const type = (id: string) => tell({ type: "typed", id, participant: "ann", text: "x" });
  return { call, type, revoked: () => revoke.mock.calls.map(([url]) => url) };
}

test("A file that was shared can be saved until the call is seen no more, and is held no longer.", async () => {
  const { call, revoked } = await sharing("blob:plan", "blob:map");
  await call.leave();
  expect(revoked()).toEqual([]);
  setCurrent(null);
  expect(revoked()).toEqual(["blob:plan", "blob:map"]);
});

test("A file whose line goes, because many came after it, is held no longer.", async () => {
  const { type, revoked } = await sharing("blob:plan", "blob:map");
  for (let line = 0; line < MOST_LINES - 2; line++) type(`typed-${line}`);
  expect(revoked()).toEqual([]);
  type("one more");
  expect(revoked()).toEqual(["blob:plan"]);
});
