import { useEffect, useRef } from "react";
import { useTheme, useWidth } from "@/console/session/player/canvas";
import type { Peaks } from "@/console/session/player/draw";

const HEIGHT = 44;

/** A call's loudness: the callers upwards, the agent downwards. `seconds`: what the whole width stands for. */
export function Wave({ peaks, seconds }: { peaks: Peaks | null; seconds: number }) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(frame);
  const theme = useTheme();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what the colours are
  useEffect(() => {
    const brush = canvas.current?.getContext("2d");
    if (!brush || width === 0) return;
    drawn(brush, width, peaks, seconds);
  }, [peaks, seconds, width, theme]);
  return (
    <div ref={frame} className="relative" style={{ height: HEIGHT }}>
      <canvas ref={canvas} aria-hidden className="absolute inset-0 size-full" />
    </div>
  );
}

function drawn(brush: CanvasRenderingContext2D, width: number, peaks: Peaks | null, seconds: number): void {
  const sharp = window.devicePixelRatio || 1;
  brush.canvas.width = Math.round(width * sharp);
  brush.canvas.height = Math.round(HEIGHT * sharp);
  brush.setTransform(sharp, 0, 0, sharp, 0, 0);
  const style = getComputedStyle(document.documentElement);
  const middle = HEIGHT / 2;
  brush.fillStyle = style.getPropertyValue("--line");
  const end = peaks ? (peaks.duration_s / Math.max(seconds, 1e-6)) * width : width;
  brush.fillRect(0, middle - 0.5, Math.min(end, width), 1);
  if (peaks === null) return;
  const sides = [
    [peaks.caller, -1, style.getPropertyValue("--caller")],
    [peaks.agent, 1, style.getPropertyValue("--accent")],
  ] as const;
  for (const [loud, up, fill] of sides) {
    brush.fillStyle = fill;
    const perPixel = (loud.length / Math.max(end, 1)) * 3;
    for (let column = 0; column * 3 < end; column++) {
      let peak = 0;
      for (let at = Math.floor(column * perPixel); at < Math.max((column + 1) * perPixel, column * perPixel + 1); at++)
        peak = Math.max(peak, loud[at] ?? 0);
      const tall = Math.sqrt(peak) * (middle - 2);
      if (tall > 0.5) brush.fillRect(column * 3, up < 0 ? middle - 1 - tall : middle + 1, 2, tall);
    }
  }
}
