import { afterEach, expect, test, vi } from "vitest";
import { begin } from "@/call/begin";
import { leaveCurrent } from "@/call/current";
import { openMicrophone, running } from "@/call/running";
import { GatewayLink } from "@/call/transport/websocket/link";
import { WebSocketTransport } from "@/call/transport/websocket/transport";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A browser's sound, of which a worklet can't be loaded. */
function withoutWorklet(name: RegExp): void {
  class Context {
    audioWorklet = {
      addModule: async (url: string) => {
        if (name.test(url)) throw new Error("no such worklet");
      },
    };
    state = "running";
    createMediaStreamSource = () => ({ connect: () => {} });
    resume = async () => {};
    close = async () => {
      this.state = "closed";
    };
  }
  vi.stubGlobal("AudioContext", Context);
  vi.stubGlobal(
    "AudioWorkletNode",
    class {
      port = {};
    },
  );
}

test("A call that can't begin leaves no microphone open.", async () => {
  localStorage.setItem("antiphon.avatar", '{"shown":false}'); // nothing is fetched for it
  withoutWorklet(/playout/);
  vi.stubGlobal("isSecureContext", true);
  const track = { stop: vi.fn(), getSettings: () => ({}) };
  const stream = { getTracks: () => [track], getAudioTracks: () => [track] };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: async () => stream } });
  const wish = { kind: "websocket", name: "", room: "", agent: "" } as const;
  await expect(begin(wish, { device: "" })).rejects.toThrow("no such worklet");
  await vi.waitFor(() => expect(track.stop).toHaveBeenCalled());
});

test("Who presses twice while a call is being opened begins one, and a second microphone is closed.", async () => {
  localStorage.setItem("antiphon.avatar", '{"shown":false}');
  let open: (transport: WebSocketTransport) => void = () => {};
  const opening = vi.spyOn(WebSocketTransport, "open").mockReturnValue(new Promise((resolve) => (open = resolve)));
  const { transport } = await running();
  const start = vi.spyOn(transport, "start");
  const second = openMicrophone();
  const wish = { kind: "websocket", name: "", room: "", agent: "" } as const;
  const calls = [begin(wish, "none"), begin(wish, second)];
  await vi.waitFor(() => expect(opening).toHaveBeenCalled());
  open(transport as WebSocketTransport);
  const [one, other] = await Promise.all(calls);
  expect(other).toBe(one);
  expect([opening.mock.calls.length, start.mock.calls.length]).toEqual([1, 1]);
  expect(second.close).toHaveBeenCalledOnce();
  await one?.leave();
  opening.mockResolvedValue(transport as WebSocketTransport);
  expect(await begin(wish, "none")).not.toBe(one); // another one can begin
  leaveCurrent();
});

test("A gateway that the browser will not let the page connect to ends the call, with the setting that names it.", async () => {
  const ticket = { url: "ws://gateway.example/ws", token: "", expires_in: 60, agent: "", gateway: "g" };
  vi.stubGlobal("fetch", async () => Response.json(ticket));
  vi.stubGlobal(
    "WebSocket",
    class {
      constructor() {
        throw new DOMException("insecure", "SecurityError");
      }
    },
  );
  const ends = { heed: vi.fn(), hear: vi.fn(), lost: vi.fn(), over: vi.fn() };
  await new GatewayLink({ agent: "", name: "", room: "", rate: 24_000 }, ends).connect();
  expect(ends.over).toHaveBeenCalledWith(expect.stringMatching(/gateway\.example.*GATEWAY_PUBLIC_URL/), true);
});
