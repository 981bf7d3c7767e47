import { ApiError } from "@/api/client";
import { webSocketTicket } from "@/call/api";
import type { WayBack } from "@/call/transport/transport";
import type { components } from "@/call/transport/websocket/protocol";
import { afterClose } from "@/call/transport/websocket/reconnect";

type Messages = components["schemas"];
export type ToClient = Messages["ToClient"];
export type FromClient = Exclude<Messages["FromClient"], { type: "start" }>;
export type Rate = Messages["StartMessage"]["rate"];

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

/** One session's connection to the gateways: it begins with a ticket of the API, and comes back with the gateway's. */
export class GatewayLink {
  private socket: WebSocket | null = null;
  private session: { session: string; ticket: string } | null;
  private error: { code: string; message: string } | null = null;
  private ended = "";
  private done = false;
  private lostAt = 0;
  private tries = 0;

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
    if (this.open) this.socket?.send(JSON.stringify(message));
    return this.open;
  }

  sendSound(frame: ArrayBuffer): void {
    if (this.open) this.socket?.send(frame);
  }

  close(): void {
    this.done = true;
    this.socket?.close(1000);
  }

  async connect(): Promise<void> {
    const { agent, room } = this.beginning;
    let ticket: Awaited<ReturnType<typeof webSocketTicket>>;
    try {
      ticket = await webSocketTicket(agent, room);
    } catch (error) {
      this.refused(error);
      return;
    }
    if (this.done) return;
    const url = new URL(ticket.url, window.location.href);
    if (ticket.token) url.searchParams.set("token", ticket.token);
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
    const start = { type: "start", version: 1, ...this.beginning, agent: ticket.agent, ...this.session };
    socket.onopen = () => socket.send(JSON.stringify(start));
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      if (typeof data === "string") this.take(JSON.parse(data));
      else this.ends.hear(data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.closed(code);
    };
  }

  private take(message: ToClient): void {
    if (message.type === "ready") {
      this.session = { session: message.session, ticket: message.ticket };
      this.lostAt = this.tries = 0;
    }
    if (message.type === "error" && message.fatal) this.error = message;
    if (message.type === "ended") this.ended = message.reason;
    this.ends.heed(message);
  }

  /** The API gave no ticket: on the way back that is one more try. */
  private refused(error: unknown): void {
    if (this.done) return;
    const problem = error instanceof ApiError ? error : null;
    const away = problem === null || problem.status === 0 || problem.status >= 500;
    if (this.session !== null && away) this.closed(1006);
    else this.end(problem?.message ?? "The API does not answer.", true);
  }

  private closed(code: number): void {
    this.socket = null;
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
    window.setTimeout(() => {
      if (!this.done) void this.connect();
    }, next.inMs);
  }

  private end(why: string, failed: boolean): void {
    this.done = true;
    this.ends.over(why, failed);
  }
}
