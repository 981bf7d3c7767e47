import { ApiError, answered, api } from "@/api/client";
import { messageOf } from "@/format";
import { Speaker } from "@/sound/speaker";

export type Hearing =
  | { state: "off" }
  | { state: "connecting" }
  | { state: "on" }
  | { state: "over"; because: string }
  | { state: "failed"; because: string };

/** The first thing a gateway says to who listens (docs/websocket.md). */
interface Head {
  type: "listening";
  rate: number;
  channels: string[];
  at: number;
}

/** A live call's sound as it goes, about a second behind. Sound comes in a voice for each side: both are heard in the middle. */
export class Listening {
  private socket: WebSocket | null = null;
  private speaker: Speaker | null = null;
  private head: Head | null = null;
  private left = false;
  /** When the gateway gave the call up, ms; null while one gives its sound. */
  private lostAt: number | null = null;

  constructor(
    private readonly session: string,
    private readonly tell: (hearing: Hearing) => void,
  ) {}

  /** Call it in the course of a press: browsers give sound to nobody else. */
  async begin(): Promise<void> {
    this.tell({ state: "connecting" });
    try {
      const speaker = await Speaker.open(RATE);
      if (this.left) return void speaker.close();
      this.speaker = speaker;
      await this.connect();
    } catch (error) {
      this.stop({ state: "failed", because: messageOf(error) });
    }
  }

  stop(as: Hearing = { state: "off" }): void {
    if (this.left) return;
    this.left = true;
    this.socket?.close();
    void this.speaker?.close();
    this.tell(as);
  }

  /** The second of the session that is heard just now; null while nothing is. */
  heard(): number | null {
    if (this.head === null || this.speaker === null) return null;
    return this.head.at + this.speaker.sounded() / RATE;
  }

  private async connect(): Promise<void> {
    const address = await this.ask();
    if (this.left) return;
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let reason = "";
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data !== "string") return this.play(data);
      const message = JSON.parse(data);
      if (message.type === "listening") this.begun(message);
      else if (message.type === "ended") reason = "The call is over.";
      else if (message.type === "error") reason = message.message;
    };
    socket.onclose = ({ code }) => {
      if (this.left || this.socket !== socket) return;
      if (code === GOES_ON_ELSEWHERE && !this.tooLong()) void this.again();
      else if (code === 1000) this.stop({ state: "over", because: reason || "The call is over." });
      else this.stop({ state: "failed", because: reason || CLOSED[code] || "The gateway broke off." });
    };
  }

  /** The call has another gateway now, or will in a moment: until then the API knows of none, or of the old one. */
  private async again(): Promise<void> {
    this.tell({ state: "connecting" });
    this.head = null;
    this.speaker?.restart();
    this.lostAt ??= Date.now();
    while (await this.rested()) {
      try {
        return await this.connect();
      } catch (error) {
        if (!isAway(error) || this.tooLong()) return this.stop({ state: "failed", because: messageOf(error) });
      }
    }
  }

  /** After a pause: whether there is still somebody who listens. */
  private async rested(): Promise<boolean> {
    await new Promise((resolve) => window.setTimeout(resolve, PAUSE * (1 + Math.random())));
    return !this.left;
  }

  private tooLong(): boolean {
    return this.lostAt !== null && Date.now() - this.lostAt > HANDOVER;
  }

  private begun(head: Head): void {
    this.head = head;
    this.lostAt = null;
    this.tell({ state: "on" });
  }

  private play(data: ArrayBuffer): void {
    if (this.head === null) return;
    const mixed = mix(new Int16Array(data), this.head.channels.length);
    this.speaker?.push(mixed.buffer);
  }

  private async ask(): Promise<string> {
    const path = { session: this.session };
    const { url, token } = await answered(api.POST("/v1/sessions/{session}/listen", { params: { path } }));
    const address = new URL(url);
    if (token) address.searchParams.set("token", token);
    return address.href;
  }
}

/** Hz: what a gateway gives to who listens. */
const RATE = 16_000;
const GOES_ON_ELSEWHERE = 1001;
/** Milliseconds, at least, before it is asked for again; up to as many more are left to chance. */
const PAUSE = 1_000;
/** Milliseconds in which another gateway takes a call over, or none does. */
const HANDOVER = 30_000;
const CLOSED: Record<number, string> = {
  1001: "No other gateway has taken the call over.",
  1006: "The gateway can’t be reached from here.",
  1013: "Too many listen already, or this line is too slow.",
};

function isAway(error: unknown): boolean {
  return error instanceof ApiError && error.status === 503;
}

/** Channels that come interleaved, as one: summed, and cut where they are louder than sound can be. */
export function mix(interleaved: Int16Array, channels: number): Int16Array<ArrayBuffer> {
  const mixed = new Int16Array(Math.floor(interleaved.length / channels));
  for (let sample = 0; sample < mixed.length; sample++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += interleaved[sample * channels + channel] ?? 0;
    mixed[sample] = Math.min(32_767, Math.max(-32_768, sum));
  }
  return mixed;
}
