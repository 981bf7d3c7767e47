import clsx from "clsx";
import type { Told } from "@/console/latency/data";
import { BOX, Lines } from "@/console/latency/lines";
import { type Bucket, PART_NAMES, PARTS, scale } from "@/console/latency/model";
import { latency } from "@/format";
import { PART_TEXT } from "@/ui/part-colours";

/** Where the time went: each part over the same time, all on one scale, so that the tallest is the one to look at. `shown`: whose
 * figures stand beside them. */
export function Parts({ told, shown }: { told: Told; shown: Bucket }) {
  const highest = Math.max(
    0,
    ...told.buckets.flatMap((bucket) => PART_NAMES.map((part) => bucket.parts[part]?.p95_ms ?? 0)),
  );
  const { top } = scale(highest);
  return (
    <ul className="grid gap-x-8 px-4 pb-3 @3xl:grid-cols-2">
      {PART_NAMES.map((part) => (
        <li key={part} className="grid grid-cols-[8.5rem_minmax(0,1fr)_7.5rem] items-center gap-3 py-1.5">
          <p className="min-w-0">
            <span className="flex items-center gap-2 text-sm">
              <span aria-hidden className={clsx("size-2.5 shrink-0 rounded-sm bg-current", PART_TEXT[part])} />
              {PARTS[part].name}
            </span>
            <span className="block text-2xs text-faint">{PARTS[part].meaning}</span>
          </p>
          <svg
            aria-hidden
            viewBox={`0 0 ${BOX.width} ${BOX.height}`}
            preserveAspectRatio="none"
            className={clsx("h-10 w-full overflow-visible", PART_TEXT[part])}
          >
            <line
              x2={BOX.width}
              y1={BOX.height}
              y2={BOX.height}
              className="stroke-line"
              vectorEffect="non-scaling-stroke"
            />
            <Lines
              buckets={told.buckets}
              width_s={told.bucket_s}
              window={told.window}
              top={top}
              pick={(bucket) => bucket.parts[part]}
            />
          </svg>
          <p className="text-right text-sm tabular-nums">
            <span className="sr-only">median </span>
            {latency(shown.parts[part]?.p50_ms)}
            <span className="block text-xs text-muted">p95 {latency(shown.parts[part]?.p95_ms)}</span>
          </p>
        </li>
      ))}
    </ul>
  );
}
