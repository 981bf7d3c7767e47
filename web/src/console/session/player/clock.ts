import { useSyncExternalStore } from "react";

/** What a clock needs of a sound: a browser's own player is one. */
export type Sounding = Pick<
  HTMLAudioElement,
  "readyState" | "playbackRate" | "currentTime" | "seeking" | "ended" | "play" | "pause"
>;

/**
 * The one clock of the page: the second of the session that everything shows. Sound drives it while there is any; without a
 * recording it runs by itself. Read it by `useClock`, which renders only when what was asked of it changes.
 */
export class Clock {
  private sound: Sounding | null = null;
  private listeners = new Set<() => void>();
  private frame = 0;
  private ticked = 0;

  seconds = 0;
  duration = 0;
  playing = false;
  rate = 1;
  /** The clock stands at the newest event of a live session. */
  following = false;
  /** The second that is heard of a live session which is listened to; null while nothing is. */
  ear: (() => number | null) | null = null;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The sound to play from; null: there is none. */
  attach(sound: Sounding | null): void {
    this.sound = sound;
    if (sound === null) return;
    if (sound.readyState > 0) this.loaded();
  }

  /** Its recording is there, or there anew: go to where the clock stands. */
  loaded(): void {
    if (this.sound === null) return;
    this.sound.playbackRate = this.rate;
    if (Math.abs(this.sound.currentTime - this.seconds) > 0.01) this.sound.currentTime = this.seconds;
    if (this.playing) void this.sound.play().catch(() => this.pause());
  }

  setDuration(seconds: number): void {
    if (seconds === this.duration) return;
    this.duration = seconds;
    this.tell();
  }

  seek(seconds: number): void {
    this.following = false;
    this.place(Math.min(Math.max(0, seconds), this.duration));
  }

  /** Stand at the end and go with it. */
  follow(): void {
    this.pause();
    this.following = true;
    this.tell();
  }

  /** Where the end of a live session is now. Who follows it stands there, or where it is heard. */
  edge(seconds: number): void {
    this.duration = Math.max(this.duration, seconds);
    if (this.following) this.seconds = this.ear?.() ?? seconds;
    this.tell();
  }

  /** A session that was live is over, and this long: who followed it stands at its end. */
  ended(seconds: number): void {
    this.setDuration(seconds);
    if (this.following) this.seek(seconds);
  }

  async play(): Promise<void> {
    this.following = false;
    if (this.seconds >= this.duration - 0.05) this.place(0);
    this.playing = true;
    this.ticked = performance.now();
    this.tick();
    this.tell();
    if (this.sound !== null && this.sound.readyState > 0)
      await this.sound.play().catch((reason: unknown) => {
        if (reason instanceof DOMException && reason.name === "AbortError") return;
        this.pause();
      });
  }

  pause(): void {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.frame);
    this.sound?.pause();
    this.tell();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else void this.play();
  }

  setRate(rate: number): void {
    this.rate = rate;
    if (this.sound !== null) this.sound.playbackRate = rate;
    this.tell();
  }

  private place(seconds: number): void {
    this.seconds = seconds;
    if (this.sound !== null && this.sound.readyState > 0) this.sound.currentTime = seconds;
    this.tell();
  }

  private tick = (): void => {
    if (!this.playing) return;
    const now = performance.now();
    if (this.sound === null) this.seconds += ((now - this.ticked) / 1000) * this.rate;
    else if (this.sound.readyState > 0 && !this.sound.seeking) this.seconds = this.sound.currentTime;
    this.ticked = now;
    if (this.seconds >= this.duration || this.sound?.ended) {
      this.seconds = this.duration;
      this.pause();
      return;
    }
    this.tell();
    this.frame = requestAnimationFrame(this.tick);
  };

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

/** What `read` says of the clock; rendered anew when that is another value. */
export function useClock<Value extends string | number | boolean | null>(
  clock: Clock,
  read: (clock: Clock) => Value,
): Value {
  return useSyncExternalStore(clock.subscribe, () => read(clock));
}
