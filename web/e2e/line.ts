import type { AddressInfo } from "node:net";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import type { BrowserContext } from "playwright-core";

/** How a line carries, each way. `delay` is passed by every byte, and up to `jitter` more of it: ms. */
export interface Shape {
  bytesPerSecond: number;
  delay: number;
  jitter: number;
}

export const GOOD: Shape = { bytesPerSecond: 10_000_000, delay: 0, jitter: 0 };
/** As browsers' own tools have it: 400 kbit/s. */
export const SLOW_3G: Shape = { bytesPerSecond: 50_000, delay: 150, jitter: 100 };

const PACKET = 1400;
/** Bytes that wait in the line before its sender feels it. */
const BUFFER = 32_000;

/** A TCP line to a gateway that can become bad, and good again. In order, and without loss, as TCP shows itself. */
export class Line {
  private shape = GOOD;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(port: number): Promise<Line> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const line = new Line(server, (server.address() as AddressInfo).port);
    server.on("connection", (near) => {
      const far = dial(port, "127.0.0.1");
      line.carry(near, far);
      line.carry(far, near);
    });
    return line;
  }

  become(shape: Shape): void {
    this.shape = shape;
  }

  /** All that is open breaks. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private carry(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.setNoDelay(true);
    const under: { packet: Buffer; arrives: number }[] = [];
    let free = 0;
    let last = 0;
    let waiting = 0;
    const deliver = () => {
      while (under[0] !== undefined && under[0].arrives <= performance.now()) {
        const { packet } = under.shift() as (typeof under)[number];
        waiting -= packet.length;
        if (!to.destroyed) to.write(packet);
      }
      if (waiting < BUFFER) from.resume();
      if (under[0] !== undefined) setTimeout(deliver, Math.max(1, under[0].arrives - performance.now()));
    };
    from.on("data", (data: Buffer) => {
      const { bytesPerSecond, delay, jitter } = this.shape;
      const idle = under.length === 0;
      for (let at = 0; at < data.length; at += PACKET) {
        const packet = data.subarray(at, at + PACKET);
        free = Math.max(free, performance.now()) + (packet.length / bytesPerSecond) * 1000;
        last = Math.max(last, free + delay + Math.random() * jitter);
        under.push({ packet, arrives: last });
        waiting += packet.length;
      }
      if (waiting > BUFFER) from.pause();
      if (idle) deliver();
    });
    const end = () => {
      this.sockets.delete(from);
      to.destroy();
    };
    from.on("close", end);
    from.on("error", end);
  }
}

/** Before a page is opened: its WebSockets go by `line`. (A browser's own throttling leaves them as they are, and knows no jitter.) */
export async function by(line: Line, context: BrowserContext): Promise<void> {
  await context.addInitScript((port) => {
    const Direct = WebSocket;
    window.WebSocket = class extends Direct {
      constructor(url: string | URL, protocols?: string | string[]) {
        const other = new URL(url);
        other.port = String(port);
        super(other, protocols);
      }
    };
  }, line.port);
}
