/** A line through `values` in a box of `width` by `height`, the oldest left, as an SVG path; null leaves a gap. The latest value
 * stands at the right edge, `slots` say how many there are room for; `most`: what reaches the top. */
export function sparkPath(
  values: readonly (number | null)[],
  slots: number,
  width: number,
  height: number,
  most: number,
): string {
  const parts: string[] = [];
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const x = width * (1 - (values.length - 1 - index) / Math.max(slots - 1, 1));
    const y = height * (1 - Math.min(value / (most || 1), 1));
    parts.push(`${drawing ? "L" : "M"}${round(x)} ${round(y)}`);
    drawing = true;
  });
  return parts.join("");
}

/** A round figure at or above `value` for the top of a scale: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
