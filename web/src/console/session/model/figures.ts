/** `1:02.3`: minutes, seconds and tenths of the session's clock. */
export function clockTime(seconds: number, digits = 1): string {
  const scale = 10 ** digits;
  const whole = Math.max(0, Math.round(seconds * scale));
  const minutes = Math.floor(whole / (60 * scale));
  const rest = (whole - minutes * 60 * scale) / scale;
  return `${minutes}:${rest.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}

/** How long something took: `820 ms`, `1.42 s`, `12.3 s`, `4 min 05 s`. */
export function span(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}
