import { fetchFace } from "@/call/avatar/ahead";
import { Call } from "@/call/call";
import { setCurrent } from "@/call/current";
import { forgetCall, type Left } from "@/call/return";
import { roomsLack } from "@/call/rooms-lack";
import type { Transport, WayBack, Wish } from "@/call/transport/transport";
import { Microphone, MicrophoneError } from "@/sound/microphone";

/** The call that is being opened: a second press finds it, and begins no other. */
let opened: Promise<Call> | null = null;

/** Begins a call in the course of a press. `microphone`: already open; `device`: which one to open; "none": the call is typed;
 * `left`: the call to come back to. */
export async function begin(
  wish: Wish,
  hear: Microphone | { device: string } | "none",
  left: Left | null = null,
): Promise<Call> {
  if (opened !== null) {
    if (hear instanceof Microphone) hear.close();
    return opened;
  }
  fetchFace();
  const opening = open(wish, left?.back ?? null);
  const hearing = listen(hear);
  // a call that can't begin leaves no microphone open
  opening.catch(async () => {
    const heard = await hearing;
    if (heard instanceof Microphone) heard.close();
  });
  opened = opening
    .then((transport) => new Call(wish, transport, left))
    .finally(() => {
      opened = null;
    });
  const call = await opened;
  forgetCall();
  setCurrent(call);
  await call.start(hearing);
  return call;
}

function listen(hear: Microphone | { device: string } | "none"): Promise<Microphone | MicrophoneError> | null {
  if (hear === "none") return null;
  if (hear instanceof Microphone) return Promise.resolve(hear);
  return Microphone.open(hear.device).catch((error: unknown) =>
    error instanceof MicrophoneError ? error : new MicrophoneError("failed"),
  );
}

async function open(wish: Wish, back: WayBack | null): Promise<Transport> {
  if (wish.kind === "websocket") {
    const { WebSocketTransport } = await import("@/call/transport/websocket/transport");
    return WebSocketTransport.open(wish, back);
  }
  const lacking = roomsLack(window);
  if (lacking) throw new Error(lacking);
  const { LiveKitTransport } = await import("@/call/transport/livekit/transport");
  return LiveKitTransport.open(wish, back);
}
