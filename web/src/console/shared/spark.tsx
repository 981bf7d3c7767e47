import clsx from "clsx";
import { roundUp, sparkPath } from "@/console/shared/spark-path";

const WIDTH = 240;
const HEIGHT = 40;

/** The last minutes of a figure, without axes: the words beside it say what it is now. `className`: its colour, as text. */
export function Spark({
  values,
  slots,
  label,
  className,
  atLeast = 1,
}: {
  values: readonly (number | null)[];
  slots: number;
  /** Read aloud. */
  label: string;
  className?: string;
  /** The scale reaches at least so far: noise around nothing stays flat. */
  atLeast?: number;
}) {
  const most = roundUp(Math.max(atLeast, ...values.map((value) => value ?? 0)));
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`}
      preserveAspectRatio="none"
      className={clsx("h-11 w-full", className)}
    >
      <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} className="stroke-line" vectorEffect="non-scaling-stroke" />
      <path
        d={sparkPath(values, slots, WIDTH, HEIGHT, most)}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
