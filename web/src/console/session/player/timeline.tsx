import { type PointerEvent, useEffect, useRef } from "react";
import { clockTime, toldSecond } from "@/console/session/model/clock-time";
import { useTheme, useWidth } from "@/console/session/player/canvas";
import { type Clock, useClock } from "@/console/session/player/clock";
import { type Colour, draw, HEIGHT, type Score, secondsAt, xOf } from "@/console/session/player/draw";
import { pan, type Window, zoom } from "@/console/session/player/window";

interface Props {
  clock: Clock;
  score: Omit<Score, "view">;
  view: Window;
  onView: (change: (view: Window) => Window) => void;
  /** The clock has moved on by itself: a part that is enlarged has to keep up. */
  onMove: () => void;
}

/** The session on its clock: who sounds when, where each turn's time went, what went wrong. Drag along it to go anywhere. */
export function Timeline({ clock, score, view, onView, onMove }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(frame);
  const theme = useTheme();
  const seconds = useClock(clock, (one) => Math.round(one.seconds * 50) / 50);
  const duration = useClock(clock, (one) => one.duration);
  const moving = useClock(clock, (one) => one.playing || one.following);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what the colours are
  useEffect(() => {
    const brush = canvas.current?.getContext("2d");
    if (!brush || width === 0) return;
    const sharp = window.devicePixelRatio || 1;
    brush.canvas.width = Math.round(width * sharp);
    brush.canvas.height = Math.round(HEIGHT * sharp);
    brush.setTransform(sharp, 0, 0, sharp, 0, 0);
    const style = getComputedStyle(document.documentElement);
    draw(
      brush,
      width,
      { ...score, view },
      remembered((name) => style.getPropertyValue(name).trim()),
    );
  }, [score, view, width, theme]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each second that passes is a move
  useEffect(() => {
    if (moving) onMove();
  }, [moving, seconds, onMove]);

  useWheel(frame, (event, at) => {
    const around = secondsAt(view, at, width);
    if (event.ctrlKey || event.metaKey)
      onView((one) => zoom(one, Math.exp(event.deltaY / 200), around, clock.duration));
    else {
      const by = event.deltaX || (event.shiftKey ? event.deltaY : 0);
      if (by === 0) return false;
      onView((one) => pan(one, (by / width) * (one.to_s - one.from_s), clock.duration));
    }
    return true;
  });

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const near = score.notes.find((note) => Math.abs(xOf(view, note.at_s, width) - x) < NEAR);
    event.currentTarget.title = near?.text ?? "";
    if (event.buttons !== 1) return;
    if (event.type === "pointerdown") event.currentTarget.setPointerCapture(event.pointerId);
    clock.seek(secondsAt(view, x, width));
  };
  const at = xOf(view, seconds, width);
  const second = toldSecond(seconds, moving);
  return (
    <div
      ref={frame}
      role="slider"
      tabIndex={0}
      aria-label="Where the call is looked at"
      aria-valuemin={0}
      aria-valuemax={Math.round(duration)}
      aria-valuenow={second}
      aria-valuetext={`${clockTime(second, 0)} of ${clockTime(duration, 0)}`}
      onPointerDown={drag}
      onPointerMove={drag}
      className="relative cursor-col-resize touch-pan-y select-none overflow-hidden"
      style={{ height: HEIGHT }}
    >
      <canvas ref={canvas} aria-hidden className="absolute inset-0 size-full" />
      {at >= 0 && at <= width ? (
        <div
          aria-hidden
          className="pointer-events-none absolute inset-y-0 left-0 w-0.5 -translate-x-1/2 bg-ink"
          style={{ transform: `translateX(${at}px)` }}
        />
      ) : null}
    </div>
  );
}

/** Asked once for each name: a long call is thousands of bars. */
function remembered(ask: Colour): Colour {
  const known = new Map<string, string>();
  return (name) => {
    const found = known.get(name) ?? ask(name);
    known.set(name, found);
    return found;
  };
}

/** Pixels from a mark within which its sentence is told. */
const NEAR = 7;

/** React listens to wheels passively: they could not be kept from scrolling the page. `act` answers whether it took it. */
function useWheel(frame: React.RefObject<HTMLElement | null>, act: (event: WheelEvent, x: number) => boolean): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const turn = (event: WheelEvent) => {
      if (latest.current(event, event.clientX - element.getBoundingClientRect().left)) event.preventDefault();
    };
    element.addEventListener("wheel", turn, { passive: false });
    return () => element.removeEventListener("wheel", turn);
  }, [frame]);
}
