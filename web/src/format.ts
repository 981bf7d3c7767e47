// Figures as people read them. One hand for all views, so that a duration looks the same in a list, a chip and a chart.

/** Milliseconds a person waited: "840 ms", "1.40 s", "12.3 s". "–" where there is none. */
export function latency(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return ms < 9_995 ? `${(ms / 1e3).toFixed(2)} s` : `${(ms / 1e3).toFixed(1)} s`;
}

/** Seconds as a clock counts them: "0:07", "3:07", "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Seconds as a size: "0.4 s", "12 s", "3 min", "2 h", "5 days". */
export function span(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A moment (ISO 8601): its time of day, and the day where it isn't today. */
export function moment(iso: string, now = new Date()): string {
  const at = new Date(iso);
  return at.toDateString() === now.toDateString() ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

/** The same in full, for a tooltip. */
export function fullMoment(iso: string): string {
  return WHOLE.format(new Date(iso));
}

/** What the API says begins in the middle of a log line; shown to people, it is a sentence. */
export function sentence(text: string): string {
  const whole = text.trim();
  const begun = whole.charAt(0).toUpperCase() + whole.slice(1);
  return !begun || /[.?!:…)”"]$/.test(begun) ? begun : `${begun}.`;
}

/** What an error says, for a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A part of an address as it was written into it; what is no such part stands as it is. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** "1 turn", "2 turns"; thousands set apart. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
