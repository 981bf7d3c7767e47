/** Sound that has come and waits to sound: in order, without a gap, with as much patience as the network asks for.
 *
 * Positions are samples of the stream since `restart`: what was dropped counts as past, as a gateway counts it. */
export class SoundBuffer {
  /** Samples that came, sounded or not. */
  received = 0;
  /** Times the sound ran dry in mid-speech. */
  gaps = 0;
  playing = false;
  /** Samples since the last that was sound. */
  silent = Number.POSITIVE_INFINITY;

  private readonly chunks: Int16Array[] = [];
  private read = 0;
  private waiting = 0;
  private sinceDry = Number.POSITIVE_INFINITY;
  private smooth = 0;
  private patience: number;
  private tail: Float32Array | null = null;

  constructor(readonly rate: number) {
    this.patience = LEAST * rate;
  }

  /** Samples that have come and not sounded. */
  get queued(): number {
    return this.waiting;
  }

  /** The next sample to sound. */
  get position(): number {
    return this.received - this.waiting;
  }

  push(pcm: Int16Array): void {
    if (pcm.length === 0) return;
    if (this.waiting === 0 && this.sinceDry > 0 && this.sinceDry < LATE * this.rate) {
      this.gaps++;
      this.smooth = 0;
      this.patience = Math.min(MOST * this.rate, this.patience + this.sinceDry);
    }
    if (this.waiting === 0) this.sinceDry = 0;
    this.chunks.push(pcm);
    this.waiting += pcm.length;
    this.received += pcm.length;
  }

  /** Fill `out`; answers how many of its samples are sound, the others are silence. */
  pull(out: Float32Array): number {
    out.fill(0);
    if (!this.playing) {
      if (this.waiting > 0 && (this.waiting >= this.patience || this.sinceDry >= this.patience)) this.playing = true;
      else this.sinceDry += out.length;
    }
    const sounded = this.playing ? this.take(out) : 0;
    this.silent = sounded > 0 ? out.length - sounded : this.silent + out.length;
    if (this.tail !== null) {
      for (let at = 0; at < this.tail.length && at < out.length; at++) out[at] = (out[at] ?? 0) + (this.tail[at] ?? 0);
      this.tail = null;
    }
    if (this.playing && this.waiting === 0) {
      this.playing = false;
      this.sinceDry = out.length - sounded;
    }
    this.calm(sounded);
    return sounded;
  }

  /** The agent fell silent: what has not sounded is dropped, without a click. */
  clear(): void {
    if (this.playing && this.waiting > 0) {
      const fade = new Float32Array(Math.min(this.waiting, 128));
      this.take(fade);
      this.tail = fade.map((sample, at) => sample * (1 - (at + 1) / fade.length));
    }
    this.chunks.length = 0;
    this.read = this.waiting = 0;
    this.playing = false;
    this.sinceDry = Number.POSITIVE_INFINITY;
  }

  /** Another connection: positions count from 0 again. */
  restart(): void {
    this.clear();
    this.received = 0;
  }

  private take(out: Float32Array): number {
    let made = 0;
    while (made < out.length && this.chunks.length > 0) {
      const chunk = this.chunks[0] as Int16Array;
      const count = Math.min(out.length - made, chunk.length - this.read);
      for (let at = 0; at < count; at++) out[made + at] = (chunk[this.read + at] as number) / 32_768;
      made += count;
      this.read += count;
      if (this.read === chunk.length) {
        this.chunks.shift();
        this.read = 0;
      }
    }
    this.waiting -= made;
    return made;
  }

  /** Sound that flows without a gap for a while needs less patience. */
  private calm(sounded: number): void {
    this.smooth += sounded;
    if (this.smooth > CALM * this.rate) {
      this.smooth = 0;
      this.patience = Math.max(LEAST * this.rate, this.patience * 0.75);
    }
  }
}

/** Seconds to wait before sound begins: on a good line and on a bad one. A gateway sends 0.2 s at once. */
const LEAST = 0.04;
const MOST = 0.24;
/** What comes this soon after the sound ran dry was late; what comes later begins anew. */
const LATE = 0.3;
const CALM = 5;
