import type { CallEvent } from "@/call/model/events";
import type { Microphone } from "@/sound/microphone";

/** How long a call waits for who is gone from it, ms: a gateway waits 30 s (limits.client_gone). */
export const WAITS_MS = 30_000;

export type TransportKind = "websocket" | "livekit";

/** Who calls, whom, and where. All but `kind` may be "". */
export interface Wish {
  kind: TransportKind;
  name: string;
  room: string;
  agent: string;
  /** Which loudspeaker the call is heard by, and which camera shows one once it is turned on: ids, "" for the browser's choice. */
  speaker?: string;
  camera?: string;
  resolution?: Resolution;
}

/** The agent's voice: what an avatar, a ring or highlighted words go by. */
export interface Voice {
  /** Seconds of the agent's sound heard so far: the clock of every timing. It stands still while nothing sounds, or runs on. */
  position(): number;
  /** Seconds since its sound ran dry, 0 while there is some, or where nobody knows. */
  dry(): number;
  /** How loud it is now, 0 to 1. */
  level(): number;
  /** Each piece of sound as it comes, ahead of being heard: int16 mono at `rate`, its first sample at second `at`. Only where sound comes
   * as PCM (WebSocket). Answers how to stop. */
  onSound(listener: (pcm: Int16Array, rate: number, at: number) => void): () => void;
  /** The sound as a track, where it comes as one (LiveKit), once it is there. */
  track(): MediaStreamTrack | null;
}

export type Resolution = "360p" | "720p" | "1080p";

export interface Tile {
  id: string;
  identity: string;
  name: string;
  source: "camera" | "screen";
  mine: boolean;
  track: MediaStreamTrack;
}

/** What only rooms with several people have. */
export interface Video {
  /** `resolution` null: off. Rejects with a sentence for a person. */
  setCamera(resolution: Resolution | null, device: string): Promise<void>;
  setScreen(on: boolean): Promise<void>;
  tiles(): Tile[];
  onTiles(listener: () => void): void;
}

/** What it takes to come back into a call after the page was loaded anew. A secret: whoever has it has the call. */
export type WayBack = Readonly<Record<string, string>>;

export type Listener = (event: CallEvent) => void;

/** One call, whatever carries it. It tells what happens by events; nothing here decides what is shown. */
export interface Transport {
  readonly kind: TransportKind;
  /** Of whoever calls. */
  readonly identity: string;
  readonly voice: Voice;
  /** null where there is none. */
  readonly video: Video | null;
  /** Begins. Fails by a link that is over, never by rejecting. */
  start(listener: Listener): Promise<void>;
  /** What the agent hears from now on; null: nothing. Rejects where it can't be sent: what was heard before still is. */
  listenTo(microphone: Microphone | null): Promise<void>;
  setMuted(muted: boolean): void;
  /** Push-to-talk: the turn is the user's while `pressed`. */
  talk(pressed: boolean): void;
  say(text: string): Promise<void>;
  /** null where nobody could receive one. */
  readonly share: ((file: File) => Promise<void>) | null;
  /** Puts somebody out of the room; null where that can't be. For operators. */
  readonly remove: ((identity: string) => Promise<void>) | null;
  setSpeaker(device: string): Promise<void>;
  /** After a press: lets the sound out. */
  unblock(): Promise<void>;
  /** null while there is no call to come back to. */
  wayBack(): WayBack | null;
  leave(): Promise<void>;
}
