/** Cosines of a window on each side of a sample: enough for speech, little enough for an audio thread. */
const ZEROS = 12;
const PHASES = 256;
/** Of the lower rate's half: what lies above would come back as something else. */
const PASS = 0.92;

/** Sound at one rate made sound at another, block by block: a windowed sinc, whose delay is `ZEROS` samples of the lower rate. */
export class Resampler {
  private readonly kernel: Float32Array[];
  private readonly reach: number;
  private readonly step: number;
  private held: Float32Array;
  private at: number;

  constructor(
    readonly from: number,
    readonly to: number,
  ) {
    this.step = from / to;
    const cut = Math.min(1, to / from) * PASS;
    this.reach = Math.ceil(ZEROS / cut);
    this.kernel = Array.from({ length: PHASES + 1 }, (_, phase) => taps(this.reach, cut, phase / PHASES));
    this.held = new Float32Array(this.reach);
    this.at = this.reach;
  }

  /** `block` at the rate `from`; answers what is certain by now, at the rate `to`. */
  push(block: Float32Array): Float32Array {
    if (this.from === this.to) return block.slice();
    const all = new Float32Array(this.held.length + block.length);
    all.set(this.held);
    all.set(block, this.held.length);
    const last = all.length - this.reach;
    const out = new Float32Array(Math.max(0, Math.ceil((last - this.at) / this.step)));
    let made = 0;
    while (this.at < last && made < out.length) {
      const whole = Math.floor(this.at);
      const kernel = this.kernel[Math.round((this.at - whole) * PHASES)] as Float32Array;
      const begin = whole - this.reach + 1;
      let sum = 0;
      for (let tap = 0; tap < kernel.length; tap++) sum += (kernel[tap] as number) * (all[begin + tap] as number);
      out[made++] = sum;
      this.at += this.step;
    }
    const from = Math.max(0, Math.floor(this.at) - this.reach);
    this.held = all.slice(from);
    this.at -= from;
    return made === out.length ? out : out.slice(0, made);
  }
}

function taps(reach: number, cut: number, offset: number): Float32Array {
  const kernel = new Float32Array(2 * reach);
  let sum = 0;
  for (let tap = 0; tap < kernel.length; tap++) {
    const away = tap - reach + 1 - offset;
    const angle = Math.PI * away * cut;
    const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
    const window = Math.abs(away) >= reach ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * away) / reach);
    kernel[tap] = sinc * window;
    sum += kernel[tap] as number;
  }
  return kernel.map((tap) => tap / sum);
}
