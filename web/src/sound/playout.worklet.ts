/// <reference path="./worklet.d.ts" />
import { SoundBuffer } from "@/sound/buffer";
import { loudness } from "@/sound/frames";
import type { Report } from "@/sound/position";

/** Blocks of 128 samples from one report to the next. */
const REPORT = 4;

export type ToPlayout = { pcm: ArrayBuffer } | { clear: "sound" | "all" };
export type FromPlayout = Report & { level: number; playing: boolean; gaps: number };

/** The loudspeaker's end of the audio thread. It tells where it is, 50 times a second while there is sound. */
class Playout extends AudioWorkletProcessor {
  private readonly buffer = new SoundBuffer(sampleRate);
  private blocks = 0;
  private reported = "";

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToPlayout>) => {
      if ("pcm" in data) this.buffer.push(new Int16Array(data.pcm));
      else if (data.clear === "sound") this.buffer.clear();
      else this.buffer.restart();
    };
  }

  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (out === undefined) return true;
    this.buffer.pull(out);
    if (++this.blocks % REPORT === 0) this.report(out);
    return true;
  }

  private report(out: Float32Array): void {
    const { position, playing, queued, silent, gaps } = this.buffer;
    const now = `${position} ${playing} ${gaps}`;
    if (now === this.reported) return;
    this.reported = now;
    const at = currentTime + out.length / sampleRate;
    const ready = playing ? queued : 0;
    const level = playing ? loudness(out) : 0;
    this.port.postMessage({ position, ready, silent, at, level, playing, gaps } satisfies FromPlayout);
  }
}

registerProcessor("antiphon-playout", Playout);
