/** `1:02.3`: minutes, seconds and tenths of the session's clock. */
export function clockTime(seconds: number, digits = 1): string {
  const scale = 10 ** digits;
  const whole = Math.max(0, Math.round(seconds * scale));
  const minutes = Math.floor(whole / (60 * scale));
  const rest = (whole - minutes * 60 * scale) / scale;
  return `${minutes}:${rest.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}
