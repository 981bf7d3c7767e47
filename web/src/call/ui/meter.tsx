import { useEffect, useRef } from "react";

/** How loud something is, as a bar. For the eye only: whoever can't see it hears themselves. */
export function Meter({ level, className }: { level: () => number; className?: string }) {
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let frame = 0;
    let shown = 0;
    const draw = () => {
      const now = level();
      shown = now > shown ? now : Math.max(now, shown - 0.02);
      if (bar.current !== null) bar.current.style.transform = `scaleX(${shown.toFixed(3)})`;
      frame = requestAnimationFrame(draw);
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [level]);
  return (
    <span aria-hidden className={`block h-1.5 overflow-hidden rounded-full bg-raised ${className ?? ""}`}>
      <span ref={bar} className="block h-full origin-left scale-x-0 rounded-full bg-accent" />
    </span>
  );
}
