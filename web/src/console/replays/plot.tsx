import { marksOf, stepsPath, topOf } from "@/console/replays/steps";
import { latency } from "@/format";

const BOX = { width: 600, height: 200 };

/** How many answers came within which time, before and after: the line that is further left is faster. */
export function Plot({ before, after }: { before: readonly number[]; after: readonly number[] }) {
  const top = topOf(before, after);
  const half = (sorted: readonly number[]) => sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
  return (
    <figure className="pt-5 pr-6 pb-2 pl-14">
      <div
        role="img"
        aria-label={`Half of the answers came within ${latency(half(before))} before, and ${latency(half(after))} after`}
        className="relative h-52"
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <div key={share} className="absolute inset-x-0 border-t border-line" style={{ bottom: `${100 * share}%` }}>
            <span className="absolute right-full -translate-y-1/2 pr-2 text-2xs whitespace-nowrap text-faint tabular-nums">
              {100 * share} %
            </span>
          </div>
        ))}
        {marksOf(top).map((ms) => (
          <span
            key={ms}
            className="absolute top-full -translate-x-1/2 pt-1.5 text-2xs whitespace-nowrap text-faint tabular-nums"
            style={{ left: `${(100 * ms) / top}%` }}
          >
            {ms === 0 ? "0" : latency(ms)}
          </span>
        ))}
        <svg
          aria-hidden
          viewBox={`0 0 ${BOX.width} ${BOX.height}`}
          preserveAspectRatio="none"
          className="absolute inset-0 size-full overflow-visible"
        >
          <Line sorted={before} top={top} className="text-caller" dashed />
          <Line sorted={after} top={top} className="text-accent" />
        </svg>
      </div>
      <figcaption className="flex flex-wrap gap-x-5 gap-y-1 pt-8 text-xs text-muted">
        <Key className="border-caller border-dashed">as recorded ({before.length} answers)</Key>
        <Key className="border-accent">replayed ({after.length} answers)</Key>
      </figcaption>
    </figure>
  );
}

function Line({
  sorted,
  top,
  className,
  dashed,
}: {
  sorted: readonly number[];
  top: number;
  className: string;
  dashed?: boolean;
}) {
  return (
    <path
      d={stepsPath(sorted, top, BOX.width, BOX.height)}
      className={className}
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
      strokeDasharray={dashed ? "5 4" : undefined}
      vectorEffect="non-scaling-stroke"
    />
  );
}

function Key({ className, children }: { className: string; children: React.ReactNode }) {
  return (
    <span className="inline-flex items-center gap-2">
      <span aria-hidden className={`w-6 border-t-2 ${className}`} />
      <span>{children}</span>
    </span>
  );
}
