import { afterEach, expect, test, vi } from "vitest";
import { Call } from "@/call/call";
import { leaveCurrent, setCurrent } from "@/call/current";
import type { Listener, Transport } from "@/call/transport/transport";
import { Microphone } from "@/sound/microphone";

const WISH = { kind: "websocket", name: "", room: "", agent: "" } as const;

afterEach(() => {
  setCurrent(null);
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function microphone() {
  const track = { addEventListener: () => {}, getSettings: () => ({}), readyState: "live" };
  return Object.assign(Object.create(Microphone.prototype) as Microphone, {
    level: 0,
    since: 0,
    stream: { getAudioTracks: () => [track] },
    muted: false,
    close: vi.fn(() => {
      track.readyState = "ended";
    }),
  });
}

/** A call that is connected, by a transport that carries nothing. */
async function connected(listenTo: Transport["listenTo"] = async () => {}) {
  let tell: Listener = () => {};
  const transport: Transport = {
    kind: "websocket",
    identity: "caller",
    voice: { position: () => 0, dry: () => 0, level: () => 0, onSound: () => () => {}, track: () => null },
    video: null,
    share: null,
    remove: null,
    start: async (listener) => {
      tell = listener;
      tell({ type: "link", link: { phase: "connected" } });
    },
    listenTo,
    setMuted: vi.fn(),
    talk: () => {},
    say: async () => {},
    setSpeaker: async () => {},
    unblock: async () => {},
    wayBack: () => null,
    leave: async () => tell({ type: "link", link: { phase: "over", why: "You left the call.", failed: false } }),
  };
  const call = new Call(WISH, transport);
  await call.start(null);
  return { call, transport };
}

test("A microphone that is allowed after the call ended is closed.", async () => {
  const late = microphone();
  let allow: (microphone: Microphone) => void = () => {};
  vi.spyOn(Microphone, "open").mockReturnValue(new Promise((resolve) => (allow = resolve)));
  const { call } = await connected();
  const opening = call.openMicrophone("");
  await call.leave();
  allow(late);
  await opening;
  expect(late.close).toHaveBeenCalled();
});

test("Where a microphone can't be sent, the one before is heard still, and it is told; of the two that one alone is open.", async () => {
  const [first, second] = [microphone(), microphone()];
  vi.spyOn(Microphone, "open").mockResolvedValueOnce(first).mockResolvedValueOnce(second);
  const heard: unknown[] = [];
  const { call } = await connected(async (one) => {
    if (one === second) throw new Error("no room for it");
    heard.push(one);
  });
  await call.openMicrophone("");
  await call.openMicrophone("other");
  expect(call.getSnapshot().mine).toMatchObject({
    microphone: "on",
    problem: "The microphone could not be sent (no room for it). The one before is heard still.",
  });
  expect([first, second].map(({ track }) => track.readyState)).toEqual(["live", "ended"]);
  expect(heard).toEqual([first, first]);
  await call.leave();
  expect(first.track.readyState).toBe("ended");
});

test("A microphone that can't be sent is not shown as on, and does not stay open, where there is none to go back to.", async () => {
  const [first, second] = [microphone(), microphone()];
  vi.spyOn(Microphone, "open").mockResolvedValueOnce(first).mockResolvedValueOnce(second);
  const { call, transport } = await connected(async (heard) => {
    if (heard === second) throw new Error("no room for it");
  });
  await call.openMicrophone("");
  first.close(); // it was unplugged
  await call.openMicrophone("other");
  expect(call.getSnapshot().mine).toMatchObject({
    microphone: "refused",
    problem: "The microphone could not be sent (no room for it).",
  });
  expect(second.track.readyState).toBe("ended");
  expect(transport.setMuted).toHaveBeenLastCalledWith(true);
  await call.leave();
});

test("Who signs out leaves the call.", async () => {
  const { call } = await connected();
  setCurrent(call);
  leaveCurrent();
  await vi.waitFor(() => expect(call.getSnapshot().call.link.phase).toBe("over"));
});

test("While a call goes on the screen stays on, again where the page was hidden meanwhile.", async () => {
  const release = vi.fn(async () => {});
  const request = vi.fn(async () => ({ release }));
  vi.stubGlobal("navigator", { wakeLock: { request } });
  const { call } = await connected();
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.waitFor(() => expect(request).toHaveBeenCalledTimes(2));
  await call.leave();
  expect(release).toHaveBeenCalledTimes(1);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(request).toHaveBeenCalledTimes(2);
});
