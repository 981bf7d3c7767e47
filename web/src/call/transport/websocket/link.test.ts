import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepTicket, onRefused } from "@/api/client";
import { GatewayLink } from "@/call/transport/websocket/link";

const TICKET = { url: "ws://gateway.example/ws", token: "", expires_in: 60, agent: "", gateway: "g" };
const BACK = { session: "ws-1", ticket: "secret" };

let sockets: Line[];
const links: GatewayLink[] = [];

/** A connection on which the gateway says what the test lets it. */
class Line {
  static readonly OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  sent: unknown[] = [];
  onopen = () => {};
  onmessage: (message: { data: string }) => void = () => {};
  onclose: (closed: { code: number }) => void = () => {};
  close = vi.fn();

  constructor() {
    sockets.push(this);
  }

  send(what: string | ArrayBuffer): void {
    this.sent.push(what);
  }

  /** What it was sent, by their types. */
  get types(): string[] {
    return this.sent.map((what) => (typeof what === "string" ? JSON.parse(what).type : "sound"));
  }

  tell(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  ready(): void {
    this.readyState = 1;
    this.onopen();
    this.onmessage({ data: JSON.stringify({ type: "ready", ...BACK }) });
  }
}

beforeEach(() => {
  sockets = [];
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Line);
});

afterEach(() => {
  for (const link of links.splice(0)) link.close();
  keepTicket("");
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** `answers`: the API's to the requests for a ticket, the last again and again; null: none ever comes. */
function begun(...answers: (number | null)[]) {
  const asked = vi.fn((request: Request) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === 200) return Promise.resolve(Response.json(TICKET));
    if (answer) return Promise.resolve(Response.json({ code: "no", detail: "no", errors: [] }, { status: answer }));
    return new Promise((_, refuse) => request.signal.addEventListener("abort", refuse));
  });
  vi.stubGlobal("fetch", asked);
  const ends = { heed: vi.fn(), hear: vi.fn(), lost: vi.fn(), over: vi.fn() };
  const link = new GatewayLink({ agent: "", name: "", room: "", rate: 24_000 }, ends, BACK);
  links.push(link);
  void link.connect();
  return { link, ends, asked };
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Seconds, with a frame of sound in each. */
function speak(link: GatewayLink, line: Line, waiting: number[]): void {
  for (const bytes of waiting) {
    line.bufferedAmount = bytes;
    link.sendSound(new ArrayBuffer(640));
    link.look();
  }
}

test("A line on which nothing goes out any more is left for another, though it counts as open.", async () => {
  const { link, ends } = begun(200);
  await pass(0);
  const [line] = sockets as [Line];
  line.ready();
  speak(link, line, [640, 1280, 1920, 2560, 3200]);
  expect(ends.lost).not.toHaveBeenCalled();
  speak(link, line, [96_000, 96_000]);
  expect(ends.lost).toHaveBeenCalled();
  expect(line.close).toHaveBeenCalled();
  await pass(0);
  expect(sockets.length).toBe(2);
});

test("A line that is thin, and now and then takes something, is kept.", async () => {
  const { link, ends } = begun(200);
  await pass(0);
  const [line] = sockets as [Line];
  line.ready();
  for (let round = 0; round < 5; round++) speak(link, line, [20_000, 40_000, 60_000, 50_000, 90_000, 96_000]);
  expect(ends.lost).not.toHaveBeenCalled();
});

/** A call that is typed: nothing goes over its line, and nothing waits. */
async function typed() {
  const { link, ends } = begun(200);
  await pass(0);
  const [line] = sockets as [Line];
  line.ready();
  ends.heed.mockClear();
  const look = (seconds: number, answer: () => void = () => {}) => {
    for (let second = 0; second < seconds; second++) {
      link.look();
      answer();
    }
  };
  return { line, ends, look };
}

test("A line over which only typed words go is left for another, within the same seconds, once nothing is answered on it.", async () => {
  const { line, ends, look } = await typed();
  look(60, () => line.tell({ type: "pong" }));
  look(5);
  expect(ends.lost).not.toHaveBeenCalled();
  look(1);
  expect(ends.lost).toHaveBeenCalledOnce();
  expect(line.close).toHaveBeenCalled();
  expect(ends.heed).not.toHaveBeenCalled();
  await pass(0);
  sockets[1]?.ready();
  look(1);
  expect(sockets[1]?.types).toEqual(["start", "ping"]);
});

test("A line that dies before anything was answered on it is left, too.", async () => {
  const { ends, look } = await typed();
  look(7);
  expect(ends.lost).toHaveBeenCalledOnce();
});

test("Whatever comes shows that the line lives.", async () => {
  const { line, ends, look } = await typed();
  line.tell({ type: "pong" });
  for (let round = 0; round < 5; round++) {
    look(5);
    line.tell({ type: "state", state: "thinking" });
  }
  expect(ends.lost).not.toHaveBeenCalled();
});

test("A gateway that knows no pings is asked once, what it says of that is told to nobody, and its silence means nothing.", async () => {
  const { line, ends, look } = await typed();
  look(1);
  line.tell({ type: "error", code: "bad_message", message: "there is no message of type 'ping'", fatal: false });
  look(60);
  expect(line.types).toEqual(["start", "ping"]);
  expect(ends.lost).not.toHaveBeenCalled();
  expect(ends.heed).not.toHaveBeenCalled();
  line.tell({ type: "error", code: "bad_message", message: "`message` needs a `text`", fatal: false });
  expect(ends.heed).toHaveBeenCalledOnce();
});

test("What is wrong with another message says nothing of pings, and is told.", async () => {
  const { line, ends, look } = await typed();
  look(1);
  line.tell({
    type: "error",
    code: "bad_message",
    message: "there is no message of type 'pin': message, ping",
    fatal: false,
  });
  expect(ends.heed).toHaveBeenCalledOnce();
  look(7);
  expect(ends.lost).toHaveBeenCalledOnce();
});

test("On the way back each try has its time, whether the API or the gateway says nothing, until the session waits no longer.", async () => {
  const { ends, asked } = begun(null, 200);
  await pass(6_100);
  expect([asked.mock.calls.length, sockets.length]).toEqual([2, 1]);
  await pass(6_000);
  expect(sockets[0]?.close).toHaveBeenCalled();
  await pass(60_000);
  expect(ends.over).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("did not come back in time"), true);
});

test("A gateway that has answered in time is not left.", async () => {
  const { ends } = begun(200);
  await pass(5_900);
  sockets[0]?.ready();
  await pass(60_000);
  expect(ends.lost).not.toHaveBeenCalled();
});

test("A browser that is on line again tries at once.", async () => {
  const { asked } = begun(503);
  await pass(800);
  const before = asked.mock.calls.length;
  window.dispatchEvent(new Event("online"));
  await pass(0);
  expect(asked.mock.calls.length).toBe(before + 1);
});

test("A call whose ticket is refused for now waits.", async () => {
  const { ends } = begun(503, 429, 200);
  await pass(1_000);
  expect(ends.over).not.toHaveBeenCalled();
  expect(sockets.length).toBe(1);
});

test("A call whose ticket is refused for want of a key has the page ask for one once, and goes on when somebody signs in.", async () => {
  const { ends, asked } = begun(401, 200);
  const refused = vi.fn();
  const forget = onRefused(refused);
  await pass(20_000);
  window.dispatchEvent(new Event("online"));
  await pass(5_000);
  expect([refused.mock.calls.length, asked.mock.calls.length]).toEqual([1, 1]);
  keepTicket("t");
  await pass(0);
  expect([ends.over.mock.calls.length, sockets.length]).toEqual([0, 1]);
  forget();
});

test("Where nobody signs in, the call ends when it waits no longer, and no key is asked for once more.", async () => {
  const { ends, asked } = begun(401);
  await pass(31_000);
  expect(ends.over).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("did not come back in time"), true);
  keepTicket("t");
  await pass(5_000);
  expect(asked).toHaveBeenCalledOnce();
});

test("A call that may not go on ends, with why.", async () => {
  const { ends } = begun(403);
  await pass(0);
  expect(ends.over).toHaveBeenCalledWith(expect.any(String), true);
});
