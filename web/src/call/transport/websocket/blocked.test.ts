import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CallEvent } from "@/call/model/events";
import { WebSocketTransport } from "@/call/transport/websocket/transport";
import { Microphone } from "@/sound/microphone";

/** The browser's sound: each of its contexts may be suspended, and runs when it is resumed. */
class Context {
  static made: Context[] = [];
  state = "running";
  currentTime = 0;
  sampleRate = 16_000;
  destination = {};
  audioWorklet = { addModule: async () => {} };
  createMediaStreamSource = () => ({ connect: () => {} });

  constructor() {
    Context.made.push(this);
  }

  async resume(): Promise<void> {
    this.state = "running";
  }

  async close(): Promise<void> {
    this.state = "closed";
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  Context.made = [];
  const track = { stop() {}, getSettings: () => ({}) };
  const stream = { getTracks: () => [track], getAudioTracks: () => [track] };
  vi.stubGlobal("AudioContext", Context);
  vi.stubGlobal(
    "AudioWorkletNode",
    class {
      port = { postMessage() {} };
      connect() {}
    },
  );
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => stream }, userAgent: "" });
  vi.stubGlobal("fetch", () => new Promise(() => {})); // the line is being made all the while
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test.each(["loudspeaker", "microphone"])(
  "A %s that the browser suspended is told of, and let through by a press.",
  async (which) => {
    const transport = await WebSocketTransport.open({ kind: "websocket", name: "", room: "", agent: "" });
    const told: boolean[] = [];
    void transport.start((event: CallEvent) => event.type === "blocked" && told.push(event.blocked));
    const microphone = await Microphone.open();
    await transport.listenTo(microphone);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(told).toEqual([]);
    const context = Context.made[which === "loudspeaker" ? 0 : 1] as Context;
    context.state = which === "loudspeaker" ? "suspended" : "interrupted"; // by a phone call, on an iPhone
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([true]);
    await transport.unblock();
    expect([told, context.state]).toEqual([[true, false], "running"]);
    microphone.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([true, false]); // who closed it is not asked to let it through
    await transport.leave();
  },
);
