/** What a gateway hears: int16 at 16 kHz, 20 ms a frame (docs/websocket.md). */
export const HEARING_RATE = 16_000;
export const FRAME = 320;

/** Samples from -1 to 1 cut into int16 frames; the rest waits for the next ones. */
export class Framer {
  private frame = new Int16Array(FRAME);
  private filled = 0;

  push(samples: Float32Array): Int16Array<ArrayBuffer>[] {
    const frames: Int16Array<ArrayBuffer>[] = [];
    for (const sample of samples) {
      this.frame[this.filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
      if (this.filled === FRAME) {
        frames.push(this.frame);
        this.frame = new Int16Array(FRAME);
        this.filled = 0;
      }
    }
    return frames;
  }
}

const FLOOR_DB = -54;

/** How loud, from 0 to 1, as an ear would say: even steps of decibels over what is silence in a room. */
export function loudness(samples: Float32Array | Int16Array): number {
  if (samples.length === 0) return 0;
  const full = samples instanceof Int16Array ? 32_768 : 1;
  let sum = 0;
  for (const sample of samples) sum += (sample / full) ** 2;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.max(0, Math.min(1, 1 - decibels / FLOOR_DB));
}
