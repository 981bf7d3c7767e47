/** Shares of answers that came within a time, as a line of steps. Pure: seconds and shares in, an SVG path out. */

/** The share of `sorted` (ms, ascending) that is at or below each of its values, as a path in a box of `width` by `height`. */
export function stepsPath(sorted: readonly number[], most: number, width: number, height: number): string {
  if (sorted.length === 0) return "";
  const x = (ms: number) => round((Math.min(ms, most) / most) * width);
  const y = (share: number) => round(height * (1 - share));
  let path = `M0 ${height}`;
  sorted.forEach((ms, place) => {
    path += `H${x(ms)}V${y((place + 1) / sorted.length)}`;
  });
  return `${path}H${width}`;
}

/** Within which nearly all of both lie: one that took for ever is not to press the rest to the edge. */
export function topOf(before: readonly number[], after: readonly number[]): number {
  const near = (sorted: readonly number[]) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.98))] ?? 0;
  const wanted = Math.max(near(before), near(after), 500);
  const step = [250, 500, 1_000, 2_000, 5_000, 10_000].find((one) => wanted / one <= 6) ?? 20_000;
  return Math.ceil((wanted * 1.02) / step) * step;
}

/** Where its lines stand, in ms. */
export function marksOf(top: number): number[] {
  const step = [100, 250, 500, 1_000, 2_000, 5_000, 10_000].find((one) => top / one <= 6) ?? top;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, place) => place * step);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
