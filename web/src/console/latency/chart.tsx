import { type KeyboardEvent, type PointerEvent, useMemo } from "react";
import type { Told } from "@/console/latency/data";
import { BOX, Lines, topOf } from "@/console/latency/lines";
import { type Bucket, nearest, placeOf, ticks } from "@/console/latency/model";
import { useNarrow } from "@/console/shared/media";
import { latency } from "@/format";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = (bucket: Bucket) => bucket;

/** How long answers took, over time. The pointer, or the arrow keys, choose a moment: `chosen`, an index into the buckets. */
export function Chart({
  told,
  chosen,
  onChoose,
}: {
  told: Told;
  chosen: number | null;
  onChoose: (index: number | null) => void;
}) {
  const { buckets, bucket_s, window } = told;
  const narrow = useNarrow();
  const { top, lines } = topOf(buckets, whole);
  const places = useMemo(() => buckets.map((bucket) => placeOf(bucket, bucket_s, window)), [buckets, bucket_s, window]);
  const moments = ticks(window, narrow ? 4 : 8);
  const at = chosen === null ? undefined : buckets[chosen];

  function onPointer(event: PointerEvent<HTMLDivElement>) {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const index = nearest(places, (event.clientX - left) / width);
    onChoose(index === -1 ? null : index);
  }
  function onKey(event: KeyboardEvent) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -buckets.length, End: buckets.length }[event.key];
    if (event.key === "Escape") onChoose(null);
    if (step === undefined) return;
    event.preventDefault();
    onChoose(Math.min(Math.max((chosen ?? buckets.length - (step > 0 ? 1 : 0)) + step, 0), buckets.length - 1));
  }

  return (
    <div className="pr-4 pb-7 pl-16">
      <div
        role="slider"
        tabIndex={0}
        aria-label="Latency over time: choose a moment"
        aria-valuemin={0}
        aria-valuemax={Math.max(buckets.length - 1, 0)}
        aria-valuenow={chosen ?? buckets.length - 1}
        aria-valuetext={at ? inWords(at) : "all of it"}
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => onChoose(null)}
        onKeyDown={onKey}
        className="relative h-56 cursor-crosshair touch-pan-y"
      >
        {[0, ...lines].map((ms) => (
          <Across key={ms} at={ms / top} words={latency(ms)} />
        ))}
        {moments.map((moment) => (
          <span
            key={moment}
            className="absolute top-full -translate-x-1/2 pt-1.5 text-2xs whitespace-nowrap text-faint tabular-nums"
            style={{ left: `${(100 * (moment - window.from)) / (window.to - window.from)}%` }}
          >
            {TIME.format(moment)}
          </span>
        ))}
        <svg
          aria-hidden
          viewBox={`0 0 ${BOX.width} ${BOX.height}`}
          preserveAspectRatio="none"
          className="absolute inset-0 size-full overflow-visible text-accent"
        >
          <Lines buckets={buckets} width_s={bucket_s} window={window} top={top} pick={whole} />
        </svg>
        {chosen !== null && places[chosen] !== undefined ? (
          <span
            aria-hidden
            className="absolute inset-y-0 w-px bg-strong-line"
            style={{ left: `${100 * places[chosen]}%` }}
          />
        ) : null}
      </div>
    </div>
  );
}

function Across({ at, words }: { at: number; words: string }) {
  return (
    <div aria-hidden className="absolute inset-x-0 border-t border-line" style={{ bottom: `${100 * at}%` }}>
      <span className="absolute right-full -translate-y-1/2 pr-2 text-2xs whitespace-nowrap text-faint tabular-nums">
        {words}
      </span>
    </div>
  );
}

function inWords(bucket: Bucket): string {
  return `${TIME.format(Date.parse(bucket.from_at))}: median ${latency(bucket.p50_ms)}, 95th percentile ${latency(bucket.p95_ms)}`;
}
