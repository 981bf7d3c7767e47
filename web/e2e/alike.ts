/** Sound that a codec and a jitter buffer have been through: no sample is as it was, and stretches of it are drawn out. */

/** Hz, at which it is compared: enough of speech is below 4 kHz. */
export const RATE = 8000;
/** Below, it is no place but the least unlike of many. Cosine of the angle between the two. */
const ALIKE = 0.5;

/** `sound` at `RATE`. */
export function resampled(sound: Int16Array, rate: number): Float32Array {
  const step = rate / RATE;
  const out = new Float32Array(Math.floor(sound.length / step));
  for (let at = 0; at < out.length; at++) {
    const [from, to] = [Math.round(at * step), Math.round((at + 1) * step)];
    let sum = 0;
    for (let place = from; place < to; place++) sum += sound[place] ?? 0;
    out[at] = sum / (to - from);
  }
  return out;
}

/** Where in `sound`, from `from` up to `to`, what it has next is most like `part`; null: nowhere is it like it. */
export function placeLike(part: Float32Array, sound: Float32Array, from: number, to: number): number | null {
  const own = Math.sqrt(energy(part));
  const last = Math.min(to, sound.length - part.length);
  let [best, most] = [null as number | null, ALIKE];
  let around = energy(sound.subarray(from, from + part.length));
  for (let place = from; place <= last; place++) {
    let product = 0;
    for (let at = 0; at < part.length; at++) product += (part[at] as number) * (sound[place + at] as number);
    const like = product / (own * Math.sqrt(around) || 1);
    if (like > most) [best, most] = [place, like];
    around += (sound[place + part.length] ?? 0) ** 2 - (sound[place] as number) ** 2;
  }
  return best;
}

function energy(sound: Float32Array): number {
  return sound.reduce((sum, sample) => sum + sample * sample, 0);
}
