/** What the audio thread tells of its output. `position`: the sample it reached at second `at` of its own clock; `ready`: how many
 * behind it sound without a gap. */
export interface Report {
  position: number;
  at: number;
  ready: number;
}

/** The sample that is heard at second `now`: after `report`, and before `next` where that is known already. Reports may come late. */
export function positionAt(report: Report, next: Report | undefined, now: number, rate: number): number {
  const most = Math.min(report.position + report.ready, next?.position ?? Number.POSITIVE_INFINITY);
  return Math.max(0, Math.min(most, report.position + (now - report.at) * rate));
}

/** Seconds since the sound ran dry, 0 while there is some; told by the same reports. */
export function dryAt(report: Report, now: number, rate: number): number {
  return Math.max(0, now - report.at - report.ready / rate);
}
