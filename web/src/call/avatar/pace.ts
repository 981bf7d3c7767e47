/** Frames a second below which the avatar is no pleasure, and costs the call more than it gives. */
export const LEAST_FRAMES = 15;
/** ms: what is not counted at the beginning, and what is looked at at once. */
const WARM_UP = 1500;
const WINDOW = 2000;

/** Whether frames come fast enough. */
export class Pace {
  private began = Number.NaN;
  private frames = 0;
  private slowWindows = 0;
  /** Frames a second of the last window, 0 before there is one. */
  rate = 0;

  /** A frame was drawn at `now` (ms). True once two windows in a row were too slow. */
  frame(now: number): boolean {
    if (Number.isNaN(this.began)) this.began = now + WARM_UP;
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

  /** The page was out of sight, where browsers draw nothing: what is counted begins anew with the next frame. */
  away(): void {
    this.began = Number.NaN;
    this.frames = 0;
  }
}

/** What becomes of a face that is drawn too slowly: fewer pixels first, and it is given up where they are too many yet, or could
 * not help. */
export class Drawing {
  private pace = new Pace();
  private coarse = false;

  /** Frames a second, as `Pace` has them. */
  get rate(): number {
    return this.pace.rate;
  }

  /** A frame was drawn at `now` (ms). `insisted`: it is to be seen however slowly. */
  frame(now: number, insisted: boolean): "go on" | "coarser" | "give up" {
    if (!this.pace.frame(now) || insisted) return "go on";
    if (this.coarse || this.pace.rate < LEAST_FRAMES / 2) return "give up";
    this.coarse = true;
    this.pace = new Pace();
    return "coarser";
  }

  away(): void {
    this.pace.away();
  }
}
