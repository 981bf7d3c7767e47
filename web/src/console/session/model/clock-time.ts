/** The second that is read aloud: while the clock runs, each tenth one. */
export function toldSecond(seconds: number, running: boolean): number {
  return running ? Math.floor(seconds / 10) * 10 : Math.round(seconds);
}

/** `1:02.3`: minutes, seconds and tenths of the session's clock. */
export function clockTime(seconds: number, digits = 1): string {
  const scale = 10 ** digits;
  const whole = Math.max(0, Math.round(seconds * scale));
  const minutes = Math.floor(whole / (60 * scale));
  const rest = (whole - minutes * 60 * scale) / scale;
  return `${minutes}:${rest.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}
