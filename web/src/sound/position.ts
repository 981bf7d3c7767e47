/** What the audio thread tells of its output. `position`: the sample it reached at second `at` of its own clock; `ready`: how many
 * behind it sound without a gap; `silent`: how many of silence went before it. */
export interface Report {
  position: number;
  at: number;
  ready: number;
  silent: number;
}

/** What an AudioContext tells of its output: `contextTime` of its clock left the loudspeaker at `performanceTime` (ms); `currentTime`
 * is made so far; seconds. The first two are missing, or 0, where a browser does not know them. */
export interface Output {
  contextTime?: number | undefined;
  performanceTime?: number | undefined;
  currentTime: number;
  latency: number;
}

/** Second of the context's clock that is heard at `now` (ms). What was not made yet is not heard: while the audio thread stands still, as on
 * a machine that is busy, or the context is suspended, so does this. */
export function heardAt({ contextTime, performanceTime, currentTime, latency }: Output, now: number): number {
  if (!contextTime || !performanceTime) return currentTime - Math.min(1, latency);
  return Math.min(currentTime, contextTime + (now - performanceTime) / 1000);
}

/** The sample that is heard at second `now`: after `report`, and before `next` where that is known already. Reports may come late. */
export function positionAt(report: Report, next: Report | undefined, now: number, rate: number): number {
  const most = Math.min(report.position + report.ready, next?.position ?? Number.POSITIVE_INFINITY);
  return Math.max(0, Math.min(most, report.position + (now - report.at) * rate));
}

/** Seconds since the sound ran dry, 0 while there is some; told by the same reports. */
export function dryAt(report: Report, now: number, rate: number): number {
  return Math.max(0, now - report.at + (report.silent - report.ready) / rate);
}
