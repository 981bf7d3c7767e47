import { afterEach, expect, test, vi } from "vitest";
import { setCurrent } from "@/call/current";
import { MOST_LINES } from "@/call/model/transcript";
import { running } from "@/call/running";

afterEach(() => {
  setCurrent(null);
  vi.restoreAllMocks();
});

/** A call of this page into which somebody shares a file at each of these addresses, how to type into it, and what was given back. */
async function sharing(...urls: string[]) {
  const revoke = vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => {});
  const { call, tell } = await running({ kind: "livekit" });
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
