import type { Person, Quality } from "@/call/model/events";
import { qualityOf } from "@/call/model/quality";
import type { Listener, Transport, Voice, WayBack, Wish } from "@/call/transport/transport";
import { eventOf, ME } from "@/call/transport/websocket/events";
import { type Ends, GatewayLink, type Rate, type ToClient } from "@/call/transport/websocket/link";
import type { Microphone } from "@/sound/microphone";
import { Speaker } from "@/sound/speaker";

/** Bytes of our sound that may wait for the network: beyond three seconds it is old, and left out. */
const MOST_WAITING = 96_000;
const TELL_PLAYED_MS = 250;
const LOOK_MS = 1000;
const RECENT_MS = 10_000;

/** A call in the WebSocket room (docs/websocket.md): one person and the agent. */
export class WebSocketTransport implements Transport, Ends {
  readonly kind = "websocket";
  readonly identity = ME;
  readonly video = null;
  readonly share = null;
  readonly remove = null;
  readonly voice: Voice;

  private readonly link: GatewayLink;
  private tell: Listener = () => {};
  private there = false;
  /** Samples that came since `ready`. */
  private received = 0;
  private lastPlayed = { samples: 0, at: 0 };
  private gaps: number[] = [];
  private gapsSeen = 0;
  private blocked = false;
  private microphone: Microphone | null = null;
  private pressed = false;
  private quality: Quality = "unknown";
  private me: Person;
  private agent: Person = { ...NOBODY, identity: "agent", name: "Agent", kind: "agent" };
  private watch = 0;
  private readonly hearers = new Set<(pcm: Int16Array, rate: number, at: number) => void>();

  private constructor(
    wish: Wish,
    private readonly speaker: Speaker,
    back: WayBack | null,
  ) {
    const { agent, name, room } = wish;
    this.link = new GatewayLink({ agent, name, room, rate: speaker.rate as Rate }, this, back);
    this.me = { ...NOBODY, identity: ME, name: name || "You", kind: "me" };
    this.voice = {
      position: () => speaker.sounded() / speaker.rate,
      dry: () => speaker.dry(),
      level: () => speaker.level(),
      onSound: (hearer) => {
        this.hearers.add(hearer);
        return () => this.hearers.delete(hearer);
      },
      track: () => null,
    };
    speaker.onProgress(() => this.progressed());
  }

  /** In the course of a press: the sound is opened here. */
  static async open(wish: Wish, back: WayBack | null = null): Promise<WebSocketTransport> {
    return new WebSocketTransport(wish, await Speaker.open(rateFor(navigator)), back);
  }

  wayBack(): WayBack | null {
    return this.link.wayBack;
  }

  async start(listener: Listener): Promise<void> {
    this.tell = listener;
    this.tell({ type: "link", link: { phase: "connecting" } });
    this.tellPeople();
    this.watch = window.setInterval(() => this.look(), LOOK_MS);
    await this.link.connect();
  }

  async listenTo(microphone: Microphone | null): Promise<void> {
    this.microphone?.onFrame(null);
    this.microphone = microphone;
    microphone?.onFrame((frame) => {
      if (this.link.waiting < MOST_WAITING) this.link.sendSound(frame);
    });
  }

  setMuted(muted: boolean): void {
    this.me = { ...this.me, muted };
    this.tellPeople();
  }

  talk(pressed: boolean): void {
    this.pressed = pressed;
    this.link.send({ type: "talk", pressed, cancel: false });
  }

  async say(text: string): Promise<void> {
    if (!this.link.send({ type: "message", text })) {
      throw new Error("There is no connection just now. Try again in a moment.");
    }
  }

  async setSpeaker(device: string): Promise<void> {
    await this.speaker.setSink(device);
  }

  async unblock(): Promise<void> {
    await Promise.all([this.speaker.unblock(), this.microphone?.unblock()]);
    this.look();
  }

  async leave(): Promise<void> {
    this.link.send({ type: "hang_up" });
    this.link.close();
    this.over("You left the call.", false);
  }

  // ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────

  lost(since: number): void {
    this.hush();
    this.quality = "unknown";
    this.tell({ type: "link", link: { phase: "reconnecting", since } });
  }

  over(why: string, failed: boolean): void {
    window.clearInterval(this.watch);
    this.tell({ type: "link", link: { phase: "over", why, failed } });
    void this.speaker.close();
  }

  hear(sound: ArrayBuffer): void {
    const at = this.received / this.speaker.rate;
    this.received += sound.byteLength / 2;
    if (this.hearers.size > 0) {
      const pcm = new Int16Array(sound.slice(0));
      for (const hearer of this.hearers) hearer(pcm, this.speaker.rate, at);
    }
    this.speaker.push(sound);
  }

  heed(message: ToClient): void {
    switch (message.type) {
      case "ready":
        this.ready(message.session, message.warnings ?? [], message.resumed);
        if (message.talk === "push_to_talk") this.tell({ type: "by_button" });
        break;
      case "state":
        this.agent = { ...this.agent, speaking: message.state === "speaking" };
        this.tell({ type: "agent", state: message.state });
        this.tellPeople();
        break;
      case "speech":
        this.me = { ...this.me, speaking: message.speaking };
        this.tell({ ...message, participant: ME });
        this.tellPeople();
        break;
      case "clear":
        this.hush();
        break;
      default: {
        const event = eventOf(message, this.received, this.speaker.rate);
        if (event !== null) this.tell(event);
      }
    }
  }

  private hush(): void {
    this.tell({ type: "hushed", at: this.voice.position() });
    this.speaker.clear();
  }

  private ready(session: string, warnings: string[], resumed: boolean): void {
    this.there = true;
    this.received = 0;
    this.lastPlayed = { samples: 0, at: performance.now() };
    this.speaker.restart();
    this.tell({ type: "session", session, warnings });
    this.tell({ type: "link", link: { phase: "connected" } });
    if (this.pressed) this.link.send({ type: "talk", pressed: true, cancel: false }); // it counts as let go since the connection dropped
    if (!resumed) this.tell({ type: "agent", state: "listening" });
    this.tellPeople();
  }

  // ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** How much has sounded: now and then while it does, and when it ends. */
  private progressed(): void {
    const now = performance.now();
    const samples = Math.round(this.speaker.sounded());
    const due = now - this.lastPlayed.at >= TELL_PLAYED_MS;
    if (samples === this.lastPlayed.samples || !due || samples > this.received) return;
    this.lastPlayed = { samples, at: now };
    this.link.send({ type: "played", samples });
  }

  private look(): void {
    const now = performance.now();
    this.link.look();
    for (; this.gapsSeen < this.speaker.gaps; this.gapsSeen++) this.gaps.push(now);
    this.gaps = this.gaps.filter((at) => now - at < RECENT_MS);
    this.progressed();
    const blocked = this.speaker.blocked || this.microphone?.blocked === true;
    if (this.blocked !== blocked) {
      this.blocked = blocked;
      this.tell({ type: "blocked", blocked });
    }
    const quality = qualityOf(this.link.waiting, this.gaps.length);
    if (!this.link.open || quality === this.quality) return;
    this.quality = quality;
    this.me = { ...this.me, quality };
    this.tell({ type: "quality", quality });
    this.tellPeople();
  }

  private tellPeople(): void {
    this.tell({ type: "people", people: this.there ? [this.me, this.agent] : [this.me] });
  }
}

const NOBODY = { muted: false, speaking: false, quality: "unknown" as const };

/** Where the line is thin, sound of 16 kHz: it is the largest thing that comes. */
function rateFor(where: Navigator): Rate {
  const line = (where as { connection?: { effectiveType?: string; saveData?: boolean } }).connection;
  return line?.saveData || /2g|3g/.test(line?.effectiveType ?? "") ? 16_000 : 24_000;
}
