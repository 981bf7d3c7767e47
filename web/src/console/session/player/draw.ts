import { clockTime } from "@/console/session/model/clock-time";
import type { Note, Turn } from "@/console/session/model/shapes";
import type { Voice } from "@/console/session/model/voices";
import { ticks, type Window } from "@/console/session/player/window";

/** The loudest samples of equal stretches of the session, 0 to 1. */
export interface Peaks {
  duration_s: number;
  caller: readonly number[];
  agent: readonly number[];
}

export interface Score {
  view: Window;
  peaks: Peaks | null;
  /** Drawn where there are no peaks, or not yet. */
  voices: readonly Voice[];
  turns: readonly Turn[];
  notes: readonly Note[];
  /** Where the session ends, or how far it has come. */
  end_s: number;
}

/** The rows of the timeline, in CSS pixels. */
export const ROWS = { ruler: 20, voice: 40, gap: 6, parts: 12, notes: 12 };
export const HEIGHT = ROWS.ruler + 2 * ROWS.voice + 3 * ROWS.gap + ROWS.parts + ROWS.notes;

export type Colour = (name: string) => string;

export function draw(brush: CanvasRenderingContext2D, width: number, score: Score, colour: Colour): void {
  brush.clearRect(0, 0, width, HEIGHT);
  const x = (seconds: number) => xOf(score.view, seconds, width);
  ruler(brush, width, score, colour, x);
  const callers = ROWS.ruler + ROWS.voice / 2;
  const agents = callers + ROWS.voice + ROWS.gap;
  if (score.peaks !== null) {
    wave(brush, width, score, score.peaks.caller, callers, colour("--caller"));
    wave(brush, width, score, score.peaks.agent, agents, colour("--accent"));
  }
  const known = score.peaks?.duration_s ?? 0; // of a live session, what sounds now is not recorded yet
  for (const voice of score.voices) {
    const to = voice.to_s ?? score.end_s;
    if (to <= known) continue;
    const middle = voice.whose === "caller" ? callers : agents;
    brush.fillStyle = colour(voice.whose === "caller" ? "--caller" : "--accent");
    const from = x(Math.max(voice.from_s, known));
    brush.fillRect(from, middle - 6, Math.max(1, x(to) - from), 12);
  }
  parts(brush, width, score, colour, x);
  notes(brush, width, score, colour, x);
}

export function xOf(view: Window, seconds: number, width: number): number {
  return ((seconds - view.from_s) / (view.to_s - view.from_s)) * width;
}

export function secondsAt(view: Window, x: number, width: number): number {
  return view.from_s + (x / Math.max(width, 1)) * (view.to_s - view.from_s);
}

type X = (seconds: number) => number;

function ruler(brush: CanvasRenderingContext2D, width: number, { view }: Score, colour: Colour, x: X): void {
  const found = ticks(view, width);
  const step = (found[1] ?? 1) - (found[0] ?? 0);
  const digits = step < 1 ? 1 : 0;
  brush.font = `11px ${colour("font-family")}`;
  brush.textBaseline = "middle";
  for (const seconds of found) {
    const at = Math.round(x(seconds));
    brush.fillStyle = colour("--line");
    brush.fillRect(at, ROWS.ruler, 1, HEIGHT);
    brush.fillStyle = colour("--muted");
    const label = clockTime(seconds, digits);
    const half = brush.measureText(label).width / 2;
    brush.fillText(label, Math.min(Math.max(4, at - half), width - 2 * half), ROWS.ruler / 2);
  }
}

function wave(
  brush: CanvasRenderingContext2D,
  width: number,
  { view, peaks }: Score,
  loud: readonly number[],
  middle: number,
  fill: string,
): void {
  const perSecond = loud.length / Math.max((peaks as Peaks).duration_s, 1e-6);
  brush.fillStyle = fill;
  const half = ROWS.voice / 2;
  for (let at = 0; at < width; at += 3) {
    const first = Math.floor(secondsAt(view, at, width) * perSecond);
    const last = Math.max(first + 1, Math.ceil(secondsAt(view, at + 3, width) * perSecond));
    let peak = 0;
    for (let point = Math.max(0, first); point < Math.min(last, loud.length); point++)
      peak = Math.max(peak, loud[point] as number);
    // a root: what is soft is seen, too
    const tall = Math.max(0.5, Math.sqrt(peak) * half);
    if (first < loud.length && first >= 0) brush.fillRect(at, middle - tall, 2, 2 * tall);
  }
}

/** Each answered turn's parts, where they passed. */
function parts(brush: CanvasRenderingContext2D, width: number, { turns }: Score, colour: Colour, x: X): void {
  const top = ROWS.ruler + 2 * ROWS.voice + 2 * ROWS.gap;
  for (const turn of turns) {
    for (const bar of turn.bars) {
      const from = turn.began_s + bar.begins_s;
      const [left, right] = [x(from), x(from + bar.seconds)];
      if (right < 0 || left > width) continue;
      brush.fillStyle = colour(`--part-${bar.part.replace("_", "-")}`);
      brush.fillRect(left, top, Math.max(1, right - left), ROWS.parts);
      brush.fillStyle = colour("--part-queued");
      if (bar.queued_s > 0) brush.fillRect(left, top, x(from + bar.queued_s) - left, 4);
    }
  }
}

const MARKS: Record<string, string> = {
  interruption: "--ink",
  step: "--ink",
  agent: "--ink",
  retry: "--warn",
  resumed: "--warn",
  rewound: "--warn",
  warning: "--warn",
  expired: "--bad",
  failed: "--bad",
};

/** The name of the colour a note of this kind has. */
export function markColour(kind: string): string {
  return MARKS[kind] ?? "--muted";
}

/** What went otherwise than it should, each a diamond. */
function notes(brush: CanvasRenderingContext2D, width: number, { notes }: Score, colour: Colour, x: X): void {
  const middle = HEIGHT - ROWS.notes / 2;
  for (const note of notes) {
    const at = x(note.at_s);
    if (at < -5 || at > width + 5) continue;
    brush.fillStyle = colour(markColour(note.kind));
    brush.beginPath();
    brush.moveTo(at, middle - 5);
    brush.lineTo(at + 5, middle);
    brush.lineTo(at, middle + 5);
    brush.lineTo(at - 5, middle);
    brush.fill();
  }
}
