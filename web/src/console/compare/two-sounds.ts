import type { Sounding } from "@/console/session/player/clock";

export type Heard = "first" | "second" | "both";

/** One of two: a browser's player. */
export type One = Sounding & Pick<HTMLAudioElement, "duration" | "muted">;

/** Seconds by which two that play together may be apart. */
const APART = 0.08;
const READY = 1;

/** Two recordings on one clock: they play, stand and are sought together, and whoever is longer tells the time. */
export class TwoSounds implements Sounding {
  private heard: Heard = "second";
  private wanted = false;

  constructor(
    private readonly first: One,
    private readonly second: One,
  ) {
    this.hear(this.heard);
  }

  hear(heard: Heard): void {
    this.heard = heard;
    this.first.muted = heard === "second";
    this.second.muted = heard === "first";
  }

  private get lead(): One {
    return (this.second.duration || 0) > (this.first.duration || 0) ? this.second : this.first;
  }

  private get other(): One {
    return this.lead === this.first ? this.second : this.first;
  }

  get readyState(): number {
    return Math.min(this.first.readyState, this.second.readyState);
  }

  get playbackRate(): number {
    return this.lead.playbackRate;
  }

  set playbackRate(rate: number) {
    this.first.playbackRate = rate;
    this.second.playbackRate = rate;
  }

  get seeking(): boolean {
    return this.lead.seeking;
  }

  get ended(): boolean {
    return this.lead.ended;
  }

  get currentTime(): number {
    const { lead, other } = this;
    const at = lead.currentTime;
    if (
      this.wanted &&
      !lead.seeking &&
      !other.seeking &&
      at < other.duration &&
      Math.abs(other.currentTime - at) > APART
    )
      other.currentTime = at;
    return at;
  }

  set currentTime(seconds: number) {
    for (const one of [this.first, this.second]) {
      const end = Number.isFinite(one.duration) ? one.duration : seconds;
      one.currentTime = Math.min(seconds, end);
      // the shorter one was over, and is not where one goes now
      if (this.wanted && seconds < end) void one.play().catch(() => {});
    }
  }

  async play(): Promise<void> {
    this.wanted = true;
    const { lead, other } = this;
    if (other.readyState >= READY && lead.currentTime < other.duration) void other.play().catch(() => {});
    await lead.play();
  }

  pause(): void {
    this.wanted = false;
    this.first.pause();
    this.second.pause();
  }
}
