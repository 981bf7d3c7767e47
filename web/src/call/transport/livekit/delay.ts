/** What WebRTC counts of a track's sound: seconds summed over samples, and the samples. */
export interface Counted {
  buffered: number;
  emitted: number;
  /** From the buffer to the loudspeaker, where the browser counts it. */
  played: number;
  playedSamples: number;
  /** That came. */
  packets: number;
}

/** Seconds in which Opus gathers a frame (20 ms) and looks ahead (6.5 ms). */
const CODED = 0.0265;
/** What a quiet line comes to, until it was measured. */
const USUAL = 0.06;
const MOST = 2;

/** How much later a room's sound is heard than news of it comes, seconds. Both travel the same line; the sound is coded, waits in the
 * buffer that evens out jitter, and goes to the loudspeaker. What the buffer holds changes with the line. */
export class MediaDelay {
  seconds = USUAL;
  private before: Counted = { buffered: 0, emitted: 0, played: 0, playedSamples: 0, packets: 0 };

  learn(now: Counted): void {
    const { before } = this;
    this.before = now;
    const emitted = now.emitted - before.emitted;
    if (emitted <= 0) return; // nothing came, or it is another track
    const buffer = (now.buffered - before.buffered) / emitted;
    const samples = now.playedSamples - before.playedSamples;
    const playout = samples > 0 ? (now.played - before.played) / samples : 0;
    this.seconds = Math.max(0, Math.min(MOST, CODED + buffer + playout));
  }
}

/** What a receiver's report counts; null where it has no sound yet. */
export function countedIn(report: Iterable<[string, object]>): Counted | null {
  const counted: Counted = { buffered: 0, emitted: 0, played: 0, playedSamples: 0, packets: 0 };
  for (const [, entry] of report) {
    const { type, ...counts } = entry as { type: string } & Record<string, unknown>;
    const count = (name: string) => (typeof counts[name] === "number" ? (counts[name] as number) : 0);
    if (type === "inbound-rtp") {
      counted.buffered = count("jitterBufferDelay");
      counted.emitted = count("jitterBufferEmittedCount");
      counted.packets = count("packetsReceived");
    } else if (type === "media-playout") {
      counted.played = count("totalPlayoutDelay");
      counted.playedSamples = count("totalSamplesCount");
    }
  }
  return counted.emitted > 0 ? counted : null;
}
