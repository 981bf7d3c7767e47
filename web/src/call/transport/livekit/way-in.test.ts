import { DisconnectReason, type Room } from "livekit-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepTicket, onRefused } from "@/api/client";
import { WayIn } from "@/call/transport/livekit/way-in";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  keepTicket("");
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Somebody in a room that is lost. `statuses`: the API's answers to the requests for a token, the last again and again. */
async function lost(...statuses: number[]) {
  const asked = vi.fn(async () => {
    const status = statuses.length > 1 ? statuses.shift() : statuses[0];
    if (status !== 200) return Response.json({ code: "no", detail: "no", errors: [] }, { status });
    return Response.json({ server_url: "ws://livekit.example", participant_token: "t" });
  });
  vi.stubGlobal("fetch", asked);
  const guest = { broken: vi.fn(), entered: vi.fn(async () => {}), over: vi.fn() };
  const room = { name: "r", connect: async () => {}, localParticipant: { identity: "ann" } } as unknown as Room;
  const wayIn = new WayIn(room, { kind: "livekit", name: "", room: "", agent: "" }, null, guest);
  await wayIn.join();
  asked.mockClear();
  await vi.advanceTimersByTimeAsync(1_000);
  wayIn.disconnected(DisconnectReason.STATE_MISMATCH);
  return { guest, asked };
}

test("A room that is lost is asked for each second, until its agent waits no longer.", async () => {
  const { guest, asked } = await lost(200, 503);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(asked.mock.calls.length).toBeGreaterThan(25);
  expect(guest.over).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("did not come back in time"), true);
});

test("Where the API wants a key, the page asks for one once; the room is entered again when somebody signs in.", async () => {
  const { guest, asked } = await lost(200, 401, 200);
  const refused = vi.fn();
  const forget = onRefused(refused);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([refused.mock.calls.length, asked.mock.calls.length]).toEqual([1, 1]);
  keepTicket("t");
  await vi.advanceTimersByTimeAsync(0);
  expect([guest.entered.mock.calls.length, guest.over.mock.calls.length]).toEqual([2, 0]);
  forget();
});

test("Where nobody signs in, it is over when the agent waits no longer, and no key is asked for once more.", async () => {
  const { guest, asked } = await lost(200, 401);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(asked).toHaveBeenCalledOnce();
  expect(guest.over).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("did not come back in time"), true);
});
