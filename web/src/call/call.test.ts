import { afterEach, expect, test, vi } from "vitest";
import { Call } from "@/call/call";
import { forgetCall, leftCall } from "@/call/return";
import type { Transport, Video, Wish } from "@/call/transport/transport";

const WISH: Wish = { kind: "livekit", name: "", room: "", agent: "", speaker: "s", camera: "c", resolution: "360p" };

/** A room without a server; `speakers`: those that are plugged in. */
function room(speakers: string[]) {
  const shown: unknown[] = [];
  const video: Video = {
    setCamera: async (...camera) => void shown.push(camera),
    setScreen: async () => {},
    tiles: () => [],
    onTiles: () => {},
  };
  const transport = {
    kind: "livekit",
    voice: { position: () => 0 },
    video,
    start: async () => {},
    setSpeaker: async (device: string) => {
      if (!speakers.includes(device)) throw new Error("no such device");
    },
    setMuted: () => {},
    wayBack: () => ({ room: "r", identity: "i" }),
    leave: async () => {},
  } as unknown as Transport;
  return { call: new Call(WISH, transport), shown };
}

afterEach(forgetCall);

test("A call begins with the loudspeaker and the camera that were chosen before it, and takes them along to a page that is loaded anew.", async () => {
  const { call, shown } = room(["s"]);
  await call.start(null);
  await vi.waitFor(() => expect(call.getSnapshot().mine.speakerDevice).toBe("s"));
  await call.setCamera(call.getSnapshot().mine.resolution);
  expect(shown).toEqual([["360p", "c"]]);
  await call.setCamera("1080p", "other");
  window.dispatchEvent(new Event("pagehide"));
  expect(leftCall()?.wish).toEqual({ ...WISH, camera: "other", resolution: "1080p" });
  await call.leave();
});

test("A loudspeaker that was unplugged since it was chosen is passed over without a word.", async () => {
  const { call } = room([]);
  await call.start(null);
  await new Promise((resolve) => setTimeout(resolve));
  const { mine, call: state } = call.getSnapshot();
  expect([mine.speakerDevice, state.trouble]).toEqual(["", ""]);
  await call.leave();
});
