import { describe, expect, test } from "vitest";
import { SoundBuffer } from "@/sound/buffer";
import { inUse, menus } from "@/sound/devices";
import { FRAME, Framer, loudness } from "@/sound/frames";
import { dryAt, heardAt, positionAt } from "@/sound/position";
import { Resampler } from "@/sound/resample";

const tone = (hz: number, rate: number, seconds: number) =>
  Float32Array.from({ length: Math.round(rate * seconds) }, (_, at) => Math.sin((2 * Math.PI * hz * at) / rate) / 2);

function inBlocks(resampler: Resampler, samples: Float32Array, size: number): Float32Array {
  const parts: number[] = [];
  for (let at = 0; at < samples.length; at += size) parts.push(...resampler.push(samples.slice(at, at + size)));
  return Float32Array.from(parts);
}

const strength = (samples: Float32Array) =>
  Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);

describe("the resampler", () => {
  test.each([48_000, 44_100, 32_000])("keeps a voice's tone at its strength and its length, from %i Hz", (rate) => {
    const out = inBlocks(new Resampler(rate, 16_000), tone(440, rate, 1), 128);
    expect(Math.abs(out.length - 16_000)).toBeLessThan(80);
    expect(strength(out.slice(400, -400))).toBeCloseTo(0.3535, 2);
  });

  test("lets nothing through that would come back as another tone", () => {
    const out = inBlocks(new Resampler(48_000, 16_000), tone(11_000, 48_000, 0.5), 128);
    expect(strength(out.slice(400, -400))).toBeLessThan(0.004);
  });

  test("answers the same whatever the blocks it is given", () => {
    const sound = tone(300, 44_100, 0.3);
    const small = inBlocks(new Resampler(44_100, 16_000), sound, 37);
    const large = inBlocks(new Resampler(44_100, 16_000), sound, 5000);
    const length = Math.min(small.length, large.length);
    for (let at = 0; at < length; at++) expect(small[at]).toBeCloseTo(large[at] as number, 5);
  });
});

describe("frames", () => {
  test("are 20 ms each, and lose and add no sample", () => {
    const framer = new Framer();
    const frames = [...framer.push(new Float32Array(500).fill(0.5)), ...framer.push(new Float32Array(500).fill(-2))];
    expect(frames.map((frame) => frame.length)).toEqual([FRAME, FRAME, FRAME]);
    expect(frames[0]?.[0]).toBe(16_384);
    expect(frames[2]?.[FRAME - 1]).toBe(-32_767);
  });

  test("silence has no loudness, full sound nearly all of it", () => {
    expect(loudness(new Int16Array(320))).toBe(0);
    expect(loudness(new Float32Array(320).fill(1))).toBe(1);
    expect(loudness(tone(200, 16_000, 0.1))).toBeGreaterThan(loudness(tone(200, 16_000, 0.1).map((one) => one / 10)));
  });
});

const RATE = 24_000;
const frame = (value = 1000) => new Int16Array(480).fill(value);

function pull(buffer: SoundBuffer, blocks: number): number {
  let sounded = 0;
  for (let block = 0; block < blocks; block++) sounded += buffer.pull(new Float32Array(128));
  return sounded;
}

describe("the sound that waits", () => {
  test("sounds in order, without a gap, and counts what has sounded", () => {
    const buffer = new SoundBuffer(RATE);
    for (let value = 1; value <= 10; value++) buffer.push(frame(value * 1000));
    const out = new Float32Array(4800);
    expect(buffer.pull(out)).toBe(4800);
    expect(
      Array.from(
        out.filter((_, at) => at % 480 === 0),
        (one) => Math.round(one * 32.768),
      ),
    ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([buffer.position, buffer.queued, buffer.playing]).toEqual([4800, 0, false]);
  });

  test("a single short frame sounds, too, once its patience has passed", () => {
    const buffer = new SoundBuffer(RATE);
    buffer.push(new Int16Array(100).fill(1));
    expect(pull(buffer, 2)).toBe(0);
    expect(pull(buffer, 20)).toBe(100);
  });

  test("what was dropped counts as past, so that the gateway and the browser agree on what comes next", () => {
    const buffer = new SoundBuffer(RATE);
    for (let count = 0; count < 10; count++) buffer.push(frame());
    pull(buffer, 5);
    buffer.clear();
    expect([buffer.position, buffer.queued]).toEqual([4800, 0]);
    buffer.push(frame());
    buffer.push(frame());
    expect(buffer.position).toBe(4800);
    pull(buffer, 20);
    expect(buffer.position).toBe(5760);
  });

  test("an interruption ends in a fade of a few ms, then in silence", () => {
    const buffer = new SoundBuffer(RATE);
    for (let count = 0; count < 10; count++) buffer.push(frame(16_384));
    pull(buffer, 5);
    buffer.clear();
    const after = new Float32Array(128);
    buffer.pull(after);
    expect(after[0]).toBeGreaterThan(0.4);
    expect(Math.abs(after[127] as number)).toBeLessThan(0.01);
    buffer.pull(after);
    expect(after.every((one) => one === 0)).toBe(true);
  });

  test("sound that ran dry in mid-speech is a gap, and the next wait is longer; a pause is none", () => {
    const buffer = new SoundBuffer(RATE);
    const needed = (): number => {
      let frames = 0;
      while (!buffer.playing) {
        buffer.push(frame());
        frames++;
        buffer.pull(new Float32Array(1));
      }
      return frames;
    };
    const first = needed();
    pull(buffer, 20);
    expect(buffer.gaps).toBe(0);
    pull(buffer, 10);
    const second = needed();
    expect(buffer.gaps).toBe(1);
    expect(second).toBeGreaterThan(first);
    pull(buffer, 200);
    needed();
    expect(buffer.gaps).toBe(1);
  });

  test("another connection counts from nothing", () => {
    const buffer = new SoundBuffer(RATE);
    buffer.push(frame());
    buffer.restart();
    expect([buffer.received, buffer.position, buffer.queued]).toEqual([0, 0, 0]);
  });
});

describe("what is heard", () => {
  const report = { position: 24_000, at: 10, ready: 2400, silent: 0 };

  test("goes on by the clock where reports come late, as far as sound was there", () => {
    expect([10, 10.05, 10.1, 11].map((now) => Math.round(positionAt(report, undefined, now, RATE)))).toEqual([
      24_000, 25_200, 26_400, 26_400,
    ]);
  });

  test("is nothing once what was ready has sounded", () => {
    expect([10, 10.09, 10.4].map((now) => dryAt(report, now, RATE).toFixed(2))).toEqual(["0.00", "0.00", "0.30"]);
  });

  test("has been nothing since the last sound, though more has come that waits", () => {
    const buffer = new SoundBuffer(RATE);
    const out = new Float32Array(0.1 * RATE);
    buffer.push(new Int16Array(0.15 * RATE).fill(1));
    for (let blocks = 0; blocks < 4; blocks++) buffer.pull(out);
    buffer.push(new Int16Array(100).fill(1));
    expect(buffer.playing).toBe(false);
    const { position, silent } = buffer;
    expect(dryAt({ position, at: 10, ready: 0, silent }, 10, RATE)).toBeCloseTo(0.25);
  });

  test("is never beyond the next report, and nothing before the first sample", () => {
    const next = { position: 24_512, at: 10.2, ready: 0, silent: 0 };
    expect(positionAt(report, next, 10.1, RATE)).toBe(24_512);
    expect(positionAt({ position: 512, at: 10, ready: 0, silent: 0 }, undefined, 9.9, RATE)).toBe(0);
  });
});

describe("what of a context's clock is heard", () => {
  const output = { contextTime: 10, performanceTime: 5000, currentTime: 10.05, latency: 0.03 };

  test("goes on from where the browser last knew it, and stands still where nothing more was made", () => {
    expect([5000, 5020, 5050, 5700].map((now) => heardAt(output, now))).toEqual([10, 10.02, 10.05, 10.05]);
  });

  test("is what was made, less what is on its way, where the browser does not tell", () => {
    const silent = { ...output, contextTime: 0, performanceTime: 0 };
    expect(heardAt(silent, 9000)).toBeCloseTo(10.02);
    expect(heardAt({ currentTime: 10.05, latency: 7 }, 9000)).toBeCloseTo(9.05); // a latency that none has
  });
});

describe("device menus", () => {
  const found = (kind: MediaDeviceKind, deviceId: string, label = "") => ({ kind, deviceId, label });

  test("show nothing that can't be chosen: before a permission devices have no ids", () => {
    expect(menus([found("audioinput", ""), found("videoinput", "")]).microphones).toEqual([]);
  });

  test("name what the browser leaves nameless, each kind by itself", () => {
    const { microphones, cameras } = menus([
      found("audioinput", "a", "Headset"),
      found("audioinput", "b"),
      found("videoinput", "c"),
    ]);
    expect(microphones).toEqual([
      { id: "a", name: "Headset" },
      { id: "b", name: "Microphone 2" },
    ]);
    expect(cameras).toEqual([{ id: "c", name: "Camera 1" }]);
  });

  test("fall back to the browser's choice when the chosen device was unplugged", () => {
    const { microphones } = menus([found("audioinput", "a", "Headset")]);
    expect([inUse("gone", microphones), inUse("a", microphones), inUse("a", [])]).toEqual(["a", "a", ""]);
  });
});
