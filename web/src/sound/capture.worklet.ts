/// <reference path="./worklet.d.ts" />
import { Framer, HEARING_RATE, loudness } from "@/sound/frames";
import { Resampler } from "@/sound/resample";

/** `alive`: the frame is not perfect silence, which no open microphone hears. */
export type FromCapture = { frame: ArrayBuffer; level: number; alive: boolean };

/** The microphone's end of the audio thread: frames as a gateway hears them, each with how loud it is. */
class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, HEARING_RATE);
  private readonly framer = new Framer();

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel === undefined) return true;
    for (const frame of this.framer.push(this.resampler.push(channel))) {
      const alive = frame.some((sample) => sample !== 0);
      this.port.postMessage({ frame: frame.buffer, level: loudness(frame), alive } satisfies FromCapture, [
        frame.buffer,
      ]);
    }
    return true;
  }
}

registerProcessor("antiphon-capture", Capture);
