import { ApiError, onSignIn, wantsKey } from "@/api/client";
import { gatewayEntry } from "@/call/api";
import { WAITS_MS, type WayBack } from "@/call/transport/transport";
import type { components } from "@/call/transport/websocket/protocol";
import { afterClose, NOT_BACK } from "@/call/transport/websocket/reconnect";

type Messages = components["schemas"];
export type ToClient = Messages["ToClient"];
export type FromClient = Exclude<Messages["FromClient"], { type: "start" }>;
export type Rate = Messages["StartMessage"]["rate"];

/** How long a try to come back may take, ms: a gateway gives its log 5 s. */
const TRY_MS = 6000;
/** Looks, one a second, in which nothing comes, nor anything of what waits goes out: then the line is dead, though nobody has said so. */
const STILL_LOOKS = 5;
/** What an API that lives may answer on the way back: come later, or sign in again, which the page asks for. */
const FOR_NOW = [401, 408, 425, 429];

/** Whoever uses the connection. `lost`: it broke, and is tried anew since `since` (ms); `over`: it will not come back. */
export interface Ends {
  heed(message: ToClient): void;
  hear(sound: ArrayBuffer): void;
  lost(since: number): void;
  over(why: string, failed: boolean): void;
}

export interface Beginning {
  agent: string;
  name: string;
  room: string;
  rate: Rate;
}

/** A gateway of before there were pings quotes what it doesn't know. */
function isNoPing(message: ToClient): boolean {
  return message.type === "error" && message.code === "bad_message" && message.message.includes("'ping'");
}

/** One session's connection to the gateways: the API names a gateway and lets it in there; with the ticket of that it comes back. */
export class GatewayLink {
  private socket: WebSocket | null = null;
  private session: { session: string; ticket: string } | null;
  private error: { code: string; message: string } | null = null;
  private ended = "";
  private done = false;
  private lostAt = 0;
  private tries = 0;
  private patience = 0;
  private waited = 0;
  private still = 0;
  /** Whether the gateway answers pings; "unknown" until it is asked. One from before there were pings complains of the first, and is sent no
   * other: from then on its line is looked at by what waits alone. */
  private answers: "unknown" | "asked" | "yes" | "no" = "unknown";

  constructor(
    private readonly beginning: Beginning,
    private readonly ends: Ends,
    back: WayBack | null = null,
  ) {
    const { session, ticket } = back ?? {};
    this.session = session && ticket ? { session, ticket } : null;
  }

  get wayBack(): WayBack | null {
    return this.session;
  }

  /** Whether there is a session, and a connection to it. */
  get open(): boolean {
    return this.session !== null && this.socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that wait for the network. */
  get waiting(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** False: it could not be sent. */
  send(message: FromClient): boolean {
    this.put(JSON.stringify(message));
    return this.open;
  }

  sendSound(frame: ArrayBuffer): void {
    this.put(frame);
  }

  /** Call it once a second: a line that has gone dead is left for another. */
  look(): void {
    this.feel();
    this.still++;
    if (!this.open) return;
    if (this.still > STILL_LOOKS) this.abandon();
    else if (this.answers === "unknown" || this.answers === "yes") this.ping();
  }

  /** What little goes over the line of a call that is typed waits in no buffer of ours: only an answer says that the line lives. */
  private ping(): void {
    if (this.answers === "unknown") this.answers = "asked";
    this.put(JSON.stringify({ type: "ping" } satisfies FromClient));
  }

  private put(what: string | ArrayBuffer): void {
    if (!this.open) return;
    this.feel();
    this.socket?.send(what);
    this.waited = this.waiting;
  }

  /** Whether anything went out since the last time, as far as one can tell. */
  private feel(): void {
    const gone = this.waiting === 0 && (this.answers === "unknown" || this.answers === "no");
    if (gone || this.waiting < this.waited) this.still = 0;
    this.waited = this.waiting;
  }

  close(): void {
    this.done = true;
    window.clearTimeout(this.patience);
    this.socket?.close(1000);
  }

  async connect(): Promise<void> {
    const { agent, room } = this.beginning;
    const asking = new AbortController();
    if (this.session !== null) this.patience = window.setTimeout(() => this.giveUp(asking), TRY_MS);
    let entry: Awaited<ReturnType<typeof gatewayEntry>>;
    try {
      entry = await gatewayEntry(agent, room, asking.signal);
    } catch (error) {
      this.refused(error);
      return;
    }
    if (this.done) return;
    const url = new URL(entry.url, window.location.href);
    if (entry.token) url.searchParams.set("token", entry.token);
    let socket: WebSocket;
    try {
      socket = new WebSocket(url);
    } catch {
      this.end(`This page may not connect to ${url.host}: from https it can be wss only (GATEWAY_PUBLIC_URL).`, true);
      return;
    }
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.error = null;
    this.answers = "unknown";
    const start = { type: "start", version: 1, ...this.beginning, agent: entry.agent, ...this.session };
    socket.onopen = () => socket.send(JSON.stringify(start));
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      this.still = 0;
      if (typeof data === "string") this.take(JSON.parse(data));
      else this.ends.hear(data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.closed(code);
    };
  }

  private take(message: ToClient): void {
    if (message.type === "pong") {
      this.answers = "yes";
      return;
    }
    if (this.answers === "asked" && isNoPing(message)) {
      this.answers = "no";
      return;
    }
    if (message.type === "ready") {
      this.session = { session: message.session, ticket: message.ticket };
      this.lostAt = this.tries = 0;
      window.clearTimeout(this.patience);
    }
    if (message.type === "error" && message.fatal) this.error = message;
    if (message.type === "ended") this.ended = message.reason;
    this.ends.heed(message);
  }

  /** The API let nobody in: on the way back that is one more try. */
  private refused(error: unknown): void {
    if (this.done) return;
    const problem = error instanceof ApiError ? error : null;
    const { status } = problem ?? { status: 0 };
    const later = status === 0 || status >= 500 || FOR_NOW.includes(status);
    if (this.session !== null && later) this.closed(1006, wantsKey(error));
    else this.end(problem?.message ?? "The API does not answer.", true);
  }

  /** A try takes too long: for the API, which is asked no longer, or for the gateway's word. */
  private giveUp(asking: AbortController): void {
    if (this.socket === null) asking.abort();
    else this.abandon();
  }

  private abandon(): void {
    const { socket } = this;
    this.closed(1006);
    socket?.close();
  }

  /** `signedOut`: the API wants a key, and the page asks for one. */
  private closed(code: number, signedOut = false): void {
    this.socket = null;
    window.clearTimeout(this.patience);
    if (this.done) return;
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
      this.end(next.why, next.failed);
      return;
    }
    this.tries++;
    this.ends.lost(this.lostAt);
    if (signedOut) this.onceSignedIn(this.lostAt + WAITS_MS - now);
    else this.again(next.inMs);
  }

  /** After that while, or as soon as something happens that makes a try worth it. */
  private again(inMs: number): void {
    const go = () => {
      window.clearTimeout(timer);
      window.removeEventListener("online", go);
      forget();
      if (!this.done) void this.connect();
    };
    const timer = window.setTimeout(go, inMs);
    const forget = onSignIn(go);
    window.addEventListener("online", go);
  }

  /** Any other try would have the page ask for a key once more, however often that was waved away. */
  private onceSignedIn(withinMs: number): void {
    const forget = onSignIn(() => {
      window.clearTimeout(timer);
      forget();
      if (!this.done) void this.connect();
    });
    const timer = window.setTimeout(() => {
      forget();
      if (!this.done) this.end(NOT_BACK, true);
    }, withinMs);
  }

  private end(why: string, failed: boolean): void {
    this.done = true;
    window.clearTimeout(this.patience);
    this.ends.over(why, failed);
  }
}
