/** Frames a second below which the avatar is no pleasure, and costs the call more than it gives. */
export const LEAST_FRAMES = 15;
/** ms: what is not counted at the beginning, what is looked at at once, a pause in which nobody looked (another tab). */
const WARM_UP = 1500;
const WINDOW = 2000;
const AWAY = 1000;

/** Whether frames come fast enough. */
export class Pace {
  private began = Number.NaN;
  private last = Number.NaN;
  private frames = 0;
  private slowWindows = 0;
  /** Frames a second of the last window, 0 before there is one. */
  rate = 0;

  /** A frame was drawn at `now` (ms). True once two windows in a row were too slow. */
  frame(now: number): boolean {
    if (Number.isNaN(this.began)) this.began = now + WARM_UP;
    else if (now - this.last > AWAY) this.restart(now);
    this.last = now;
    if (now < this.began) return false;
    this.frames++;
    const took = now - this.began;
    if (took < WINDOW) return false;
    this.rate = ((this.frames - 1) * 1000) / took;
    this.slowWindows = this.rate < LEAST_FRAMES ? this.slowWindows + 1 : 0;
    this.began = now;
    this.frames = 1;
    return this.slowWindows >= 2;
  }

  private restart(now: number): void {
    this.began = now;
    this.frames = 0;
  }
}
