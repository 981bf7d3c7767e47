import { vi } from "vitest";
import { Call } from "@/call/call";
import type { Listener, Transport } from "@/call/transport/transport";
import { Microphone } from "@/sound/microphone";

/** For tests: a call that is connected, by a transport that carries nothing; and how something happens in it. */
export async function running(ways: Partial<Transport> = {}, agent = "") {
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
    listenTo: async () => {},
    setMuted: vi.fn(),
    talk: vi.fn(),
    say: async () => {},
    setSpeaker: async () => {},
    unblock: async () => {},
    wayBack: () => null,
    leave: async () => tell({ type: "link", link: { phase: "over", why: "You left the call.", failed: false } }),
    ...ways,
  };
  const call = new Call({ kind: transport.kind, name: "", room: "", agent }, transport);
  await call.start(null);
  return { call, transport, tell: (event: Parameters<Listener>[0]) => tell(event) };
}

/** For tests: a microphone that is open, and hears nothing. */
export function openMicrophone() {
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
