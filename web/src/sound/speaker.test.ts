import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Speaker } from "@/sound/speaker";

const RATE = 16_000;
const BLOCK = 512;
const LATENCY = 0.1;

/** A browser without worklets, as on plain http: its sound is made here, block by block. */
class Context {
  currentTime = 0;
  readonly outputLatency = LATENCY;
  readonly state = "running";
  readonly destination = {};
  readonly node = { connect() {}, onaudioprocess: (_: object) => {} };

  constructor() {
    context = this;
  }

  async resume() {}

  async close() {}

  createScriptProcessor() {
    return this.node;
  }

  /** The next block of its clock is asked for. */
  make() {
    const duration = BLOCK / RATE;
    const out = new Float32Array(BLOCK);
    const outputBuffer = { duration, getChannelData: () => out };
    this.node.onaudioprocess({ outputBuffer, playbackTime: this.currentTime });
    this.currentTime += duration;
  }
}

let context: Context;
let speaker: Speaker;

beforeEach(async () => {
  vi.stubGlobal("AudioContext", Context);
  speaker = await Speaker.open(RATE);
});

afterEach(() => vi.unstubAllGlobals());

const blocks = (count: number) => new Int16Array(count * BLOCK).fill(16_000).buffer;

/** What it says after each of so many blocks. */
const levels = (count: number) =>
  Array.from({ length: count }, () => {
    context.make();
    return speaker.level();
  });

test("The level is that of what is heard: not of what is made, which leaves the loudspeaker later.", () => {
  expect(speaker.level()).toBe(0);
  expect(levels(4)).toEqual([0, 0, 0, 0]);
  speaker.push(blocks(6));
  const told = levels(14);
  const begins = told.findIndex((level) => level > 0);
  expect(begins * (BLOCK / RATE)).toBeGreaterThanOrEqual(LATENCY - BLOCK / RATE);
  expect(begins).toBeLessThan(6);
  const loud = told.slice(begins, begins + 5);
  expect(Math.min(...loud)).toBeGreaterThan(0.8);
  expect(Math.max(...loud)).toBeLessThanOrEqual(1);
  expect(told.slice(begins + 6)).toEqual(told.slice(begins + 6).map(() => 0));
});

test("What was dropped is not heard, and a speaker that begins anew says nothing of before.", () => {
  speaker.push(blocks(20));
  levels(8);
  expect(speaker.level()).toBeGreaterThan(0.8);
  speaker.clear();
  const after = levels(6);
  expect(after.at(-1)).toBe(0);
  speaker.push(blocks(20));
  levels(8);
  expect(speaker.level()).toBeGreaterThan(0.8);
  speaker.restart();
  expect(speaker.level()).toBe(0);
});
