import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Hearing, Listening, mix } from "@/console/session/operator/listening";
import { Speaker } from "@/sound/speaker";

/** A connection that the test opens its mouth for. */
class Line {
  onmessage: (event: { data: string }) => void = () => {};
  onclose: (event: { code: number }) => void = () => {};

  constructor() {
    lines.push(this);
  }

  close(): void {}

  begin(): void {
    this.onmessage({ data: JSON.stringify({ type: "listening", rate: 16_000, channels: ["ann"], at: 1 }) });
  }
}

let lines: Line[] = [];
let statuses: number[] = [];
let heard: Hearing[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  [lines, statuses, heard] = [[], [], []];
  vi.spyOn(Speaker, "open").mockResolvedValue({ close() {}, restart() {} } as unknown as Speaker);
  vi.stubGlobal("WebSocket", Line);
  vi.stubGlobal("fetch", async () => {
    const status = statuses.shift() ?? 200;
    const body = status === 200 ? { url: "ws://gateway/listen", token: "" } : { code: "x", detail: "no", errors: [] };
    return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Somebody who hears a call, until its gateway gives it up. */
async function lost(): Promise<Listening> {
  const listening = new Listening("a", (now) => heard.push(now));
  await listening.begin();
  lines[0]?.begin();
  expect(heard.at(-1)).toEqual({ state: "on" });
  lines[0]?.onclose({ code: 1001 });
  return listening;
}

test("Two voices at once are heard together, and cut where they are louder than sound can be.", () => {
  const both = new Int16Array([1, 2, -5, 5, 30_000, 30_000, -30_000, -30_000]);
  expect([...mix(both, 2)]).toEqual([3, 0, 32_767, -32_768]);
  expect([...mix(new Int16Array([1, 2, 3]), 2)]).toEqual([3]);
});

test("A call that goes on at another gateway is heard on, though the API knows of none for some seconds.", async () => {
  const listening = await lost();
  statuses = [503, 503];
  await vi.advanceTimersByTimeAsync(7_000);
  lines[1]?.begin();
  expect([lines.length, heard.at(-1)]).toEqual([2, { state: "on" }]);
  listening.stop();
});

test("A gateway that gives the call up again and again is asked with pauses, and not for ever.", async () => {
  await lost();
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    lines.at(-1)?.onclose({ code: 1001 });
  }
  expect(heard.at(-1)).toEqual({ state: "failed", because: "No other gateway has taken the call over." });
  expect(lines.length).toBeLessThan(35);
});

test("Where no gateway takes the call over, listening ends.", async () => {
  await lost();
  statuses = Array(60).fill(503);
  await vi.advanceTimersByTimeAsync(35_000);
  expect(heard.at(-1)).toEqual({ state: "failed", because: "No." });
});

test("Who leaves while it is handed over asks no more.", async () => {
  const listening = await lost();
  listening.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect([lines.length, heard.at(-1)]).toEqual([1, { state: "off" }]);
});
