/** The stretch of the session that is in view, in seconds. Pure: each function answers another stretch. */
export interface Window {
  from_s: number;
  to_s: number;
}

/** Seconds below which nothing is enlarged any more. */
const CLOSEST = 1;

export function whole(duration: number): Window {
  return { from_s: 0, to_s: Math.max(duration, CLOSEST) };
}

export function isWhole(view: Window, duration: number): boolean {
  return view.from_s <= 0 && view.to_s >= duration;
}

/** `factor` below 1 enlarges; `around` stays where it is on the screen. */
export function zoom(view: Window, factor: number, around: number, duration: number): Window {
  const length = view.to_s - view.from_s;
  const wanted = Math.min(Math.max(length * factor, CLOSEST), Math.max(duration, CLOSEST));
  const share = length > 0 ? (around - view.from_s) / length : 0.5;
  return within({ from_s: around - share * wanted, to_s: around + (1 - share) * wanted }, duration);
}

export function pan(view: Window, by: number, duration: number): Window {
  return within({ from_s: view.from_s + by, to_s: view.to_s + by }, duration);
}

/** The stretch from one second to another, with a little around it. */
export function around(from_s: number, to_s: number, duration: number): Window {
  const margin = Math.max((to_s - from_s) * 0.1, 0.2);
  return within({ from_s: from_s - margin, to_s: Math.max(to_s + margin, from_s - margin + CLOSEST) }, duration);
}

/** The stretch moved on so that `seconds` is in it: by nine tenths of a page, as one turns pages. */
export function reveal(view: Window, seconds: number, duration: number): Window {
  if (seconds >= view.from_s && seconds <= view.to_s) return view;
  const length = view.to_s - view.from_s;
  return within({ from_s: seconds - length * 0.1, to_s: seconds + length * 0.9 }, duration);
}

function within(view: Window, duration: number): Window {
  const length = view.to_s - view.from_s;
  if (length >= duration) return whole(duration);
  const from_s = Math.min(Math.max(0, view.from_s), duration - length);
  return { from_s, to_s: from_s + length };
}

/** Where the ruler's figures stand: as many as fit, at round seconds. */
export function ticks(view: Window, pixels: number): number[] {
  const apart = ((view.to_s - view.from_s) / Math.max(pixels, 1)) * 72;
  const step = STEPS.find((one) => one >= apart) ?? Math.ceil(apart / 600) * 600;
  const found = [];
  for (let count = Math.max(0, Math.ceil(view.from_s / step - 1e-9)); count * step <= view.to_s; count++)
    found.push(count * step);
  return found;
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
