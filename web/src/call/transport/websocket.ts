import { ApiError } from "@/api/client";
import { webSocketTicket } from "@/call/api";
import type { CallEvent, Person, Quality } from "@/call/model/events";
import { qualityOf } from "@/call/model/quality";
import type { components } from "@/call/transport/protocol";
import { afterClose } from "@/call/transport/reconnect";
import type { Listener, Transport, Voice, Wish } from "@/call/transport/transport";
import type { Microphone } from "@/sound/microphone";
import { Speaker } from "@/sound/speaker";

type ToClient = components["schemas"]["ToClient"];
type FromClient = Exclude<components["schemas"]["FromClient"], { type: "start" }>;
type Rate = components["schemas"]["StartMessage"]["rate"];

/** Bytes of our sound that may wait for the network: beyond three seconds it is old, and left out. */
const MOST_WAITING = 96_000;
const TELL_PLAYED_MS = 250;
const LOOK_MS = 1000;

/** A call in the WebSocket room (docs/websocket.md): one person and the agent. */
export class WebSocketTransport implements Transport {
  readonly kind = "websocket";
  readonly identity: string;
  readonly video = null;
  readonly share = null;
  readonly remove = null;
  readonly voice: Voice;

  private socket: WebSocket | null = null;
  private listener: Listener = () => {};
  private session: { session: string; ticket: string } | null = null;
  private error: { code: string; message: string } | null = null;
  private ended = "";
  private leaving = false;
  private lostAt = 0;
  private tries = 0;
  private received = 0;
  private told = { samples: 0, at: 0 };
  private gaps: number[] = [];
  private gapsSeen = 0;
  private quality: Quality = "unknown";
  private blocked = false;
  private person: Person;
  private agent: Person = {
    identity: "agent",
    name: "Agent",
    kind: "agent",
    muted: false,
    speaking: false,
    quality: "unknown",
  };
  private watch = 0;
  private readonly hearers = new Set<(pcm: Int16Array, rate: number, at: number) => void>();

  private constructor(
    private readonly wish: Wish,
    private readonly speaker: Speaker,
  ) {
    this.identity = "caller";
    this.person = {
      identity: "caller",
      name: wish.name || "You",
      kind: "me",
      muted: false,
      speaking: false,
      quality: "unknown",
    };
    this.voice = {
      position: () => speaker.sounded() / speaker.rate,
      level: () => speaker.level,
      onSound: (hearer) => {
        this.hearers.add(hearer);
        return () => this.hearers.delete(hearer);
      },
      track: () => null,
    };
    speaker.onProgress(() => this.progressed());
  }

  /** In the course of a press: the sound is opened here. */
  static async open(wish: Wish): Promise<WebSocketTransport> {
    return new WebSocketTransport(wish, await Speaker.open(rateFor(navigator)));
  }

  async start(listener: Listener): Promise<void> {
    this.listener = listener;
    this.tell({ type: "link", link: { phase: "connecting" } });
    this.tellPeople();
    this.watch = window.setInterval(() => this.look(), LOOK_MS);
    await this.connect();
  }

  async listenTo(microphone: Microphone | null): Promise<void> {
    microphone?.onFrame((frame) => {
      const socket = this.socket;
      if (this.session === null || socket?.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount < MOST_WAITING) socket.send(frame);
    });
  }

  setMuted(muted: boolean): void {
    this.person = { ...this.person, muted };
    this.tellPeople();
  }

  talk(pressed: boolean): void {
    this.send({ type: "talk", pressed });
  }

  async say(text: string): Promise<void> {
    if (!this.send({ type: "message", text }))
      throw new Error("There is no connection just now. Try again in a moment.");
  }

  async setSpeaker(device: string): Promise<void> {
    await this.speaker.setSink(device);
  }

  async unblock(): Promise<void> {
    await this.speaker.unblock();
    this.look();
  }

  async leave(): Promise<void> {
    this.leaving = true;
    this.send({ type: "hang_up" });
    this.socket?.close(1000);
    this.over("You left the call.", false);
  }

  // ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────

  private async connect(): Promise<void> {
    let url: URL;
    let agent = this.wish.agent;
    try {
      const ticket = await webSocketTicket(this.wish.agent);
      url = new URL(ticket.url, window.location.href);
      agent = ticket.agent ?? agent;
      if (ticket.token) url.searchParams.set("token", ticket.token);
    } catch (error) {
      this.refused(error);
      return;
    }
    if (this.leaving) return;
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.error = null;
    socket.onopen = () => socket.send(JSON.stringify(this.beginning(agent)));
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      if (typeof data === "string") this.heed(JSON.parse(data));
      else this.hear(data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.closed(code);
    };
  }

  private beginning(agent: string): Partial<components["schemas"]["StartMessage"]> {
    const { name, room } = this.wish;
    const rate = this.speaker.rate as Rate;
    return { type: "start", version: 1, rate, agent, name, room, ...this.session };
  }

  /** The API gave no ticket: on the way back that is one more try. */
  private refused(error: unknown): void {
    if (this.leaving) return;
    const problem = error instanceof ApiError ? error : null;
    const away = problem === null || problem.status === 0 || problem.status >= 500;
    if (this.session !== null && away) this.closed(1006);
    else this.over(problem?.message ?? "The API does not answer.", true);
  }

  private closed(code: number): void {
    this.socket = null;
    this.speaker.clear();
    if (this.leaving) return;
    const now = performance.now();
    if (this.lostAt === 0) this.lostAt = now;
    const { error, ended, tries } = this;
    const next = afterClose({
      code,
      error,
      ended,
      resumable: this.session !== null,
      lostFor: now - this.lostAt,
      tries,
    });
    if (next.do === "over") {
      this.over(next.why, next.failed);
      return;
    }
    this.tries++;
    this.tell({ type: "link", link: { phase: "reconnecting", since: this.lostAt } });
    window.setTimeout(() => {
      if (!this.leaving) void this.connect();
    }, next.inMs);
  }

  private over(why: string, failed: boolean): void {
    this.leaving = true;
    window.clearInterval(this.watch);
    this.tell({ type: "link", link: { phase: "over", why, failed } });
    void this.speaker.close();
  }

  // ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────

  private hear(sound: ArrayBuffer): void {
    const at = this.received / this.speaker.rate;
    this.received += sound.byteLength / 2;
    if (this.hearers.size > 0) {
      const pcm = new Int16Array(sound.slice(0));
      for (const hearer of this.hearers) hearer(pcm, this.speaker.rate, at);
    }
    this.speaker.push(sound);
  }

  private heed(message: ToClient): void {
    switch (message.type) {
      case "ready":
        this.ready(message);
        break;
      case "state":
        this.agent = { ...this.agent, speaking: message.state === "speaking" };
        this.tell({ type: "agent", state: message.state });
        this.tellPeople();
        break;
      case "speech":
        this.person = { ...this.person, speaking: message.speaking };
        this.tell({ ...message, participant: this.identity });
        this.tellPeople();
        break;
      case "transcript":
        this.tell({ ...message, type: "heard", participant: this.identity });
        break;
      case "sentence":
        this.tell({ ...message, at: this.received / this.speaker.rate });
        break;
      case "words": {
        const begin = message.offset / this.speaker.rate;
        const words = message.words.map(([text, start, end]) => [text, begin + start, begin + end] as const);
        this.tell({ type: "timings", turn: message.turn, index: message.index, part: message.part, words });
        break;
      }
      case "clear":
        this.tell({ type: "hushed", at: this.voice.position() });
        this.speaker.clear();
        break;
      case "turn":
        this.tell({ type: "turn", turn: message.turn, how: message.how, heard: message.heard });
        break;
      case "error":
        if (message.fatal) this.error = message;
        else this.tell({ type: "trouble", code: message.code, message: message.message });
        break;
      case "ended":
        this.ended = message.reason;
        break;
      case "metrics":
        break; // the API tells the same of every turn, in more detail
    }
  }

  private ready(message: components["schemas"]["ReadyMessage"]): void {
    this.session = { session: message.session, ticket: message.ticket };
    this.lostAt = this.tries = this.received = 0;
    this.told = { samples: 0, at: performance.now() };
    this.speaker.restart();
    this.tell({ type: "session", session: message.session, warnings: message.warnings ?? [] });
    this.tell({ type: "link", link: { phase: "connected" } });
    if (!message.resumed) this.tell({ type: "agent", state: "listening" });
  }

  // ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────

  private send(message: FromClient): boolean {
    if (this.session === null || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** How much has sounded: now and then while it does, and when it ends. */
  private progressed(): void {
    const now = performance.now();
    const samples = Math.round(this.speaker.sounded());
    const due = now - this.told.at >= TELL_PLAYED_MS;
    if (samples === this.told.samples || !due || samples > this.received) return;
    this.told = { samples, at: now };
    this.send({ type: "played", samples });
  }

  private look(): void {
    const now = performance.now();
    for (; this.gapsSeen < this.speaker.gaps; this.gapsSeen++) this.gaps.push(now);
    this.gaps = this.gaps.filter((at) => now - at < 10_000);
    this.progressed();
    if (this.blocked !== this.speaker.blocked) {
      this.blocked = this.speaker.blocked;
      this.tell({ type: "blocked", blocked: this.blocked });
    }
    const quality = qualityOf(this.socket?.bufferedAmount ?? 0, this.gaps.length);
    if (this.socket === null || quality === this.quality) return;
    this.quality = quality;
    this.person = { ...this.person, quality };
    this.tell({ type: "quality", quality });
    this.tellPeople();
  }

  private tellPeople(): void {
    const there = this.session !== null;
    this.tell({ type: "people", people: there ? [this.person, this.agent] : [this.person] });
  }

  private tell(event: CallEvent): void {
    this.listener(event);
  }
}

/** Where the line is thin, sound of 16 kHz: it is the largest thing that comes. */
function rateFor(where: Navigator): Rate {
  const line = (where as { connection?: { effectiveType?: string; saveData?: boolean } }).connection;
  return line?.saveData || /2g|3g/.test(line?.effectiveType ?? "") ? 16_000 : 24_000;
}
