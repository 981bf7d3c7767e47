import { type Bucket, groups, placeOf, scale, type Window } from "@/console/latency/model";

/** Of which figure of a bucket the lines are. */
export type Pick = (bucket: Bucket) => { p50_ms: number; p95_ms: number } | undefined;

export const BOX = { width: 1_000, height: 200 };

export interface Drawn {
  buckets: readonly Bucket[];
  width_s: number;
  window: Window;
  top: number;
  pick: Pick;
}

/** p95 as a thin line, p50 as a thick one, what lies between them filled; in the colour of the text around. Stretches with its box. */
export function Lines({ buckets, width_s, window, top, pick }: Drawn) {
  const point = (bucket: Bucket, ms: number): string => {
    const x = placeOf(bucket, width_s, window) * BOX.width;
    return `${x.toFixed(1)} ${(BOX.height * (1 - Math.min(ms / top, 1))).toFixed(1)}`;
  };
  return groups(buckets, width_s).map((group) => {
    const known = group.flatMap((bucket) => {
      const found = pick(bucket);
      return found ? [{ low: point(bucket, found.p50_ms), high: point(bucket, found.p95_ms) }] : [];
    });
    const lows = known.map(({ low }) => low);
    const highs = known.map(({ high }) => high);
    const key = group[0]?.from_at;
    if (lows.length === 0) return null;
    const one = lows.length === 1 ? "h0.01" : ""; // a line of no length, with round ends, is a dot
    return (
      <g key={key} fill="none" stroke="currentColor" strokeLinecap="round" strokeLinejoin="round">
        <path d={`M${[...highs, ...lows.toReversed()].join("L")}Z`} fill="currentColor" stroke="none" opacity="0.12" />
        <path
          d={`M${highs.join("L")}${one}`}
          strokeWidth={one ? 4 : 1}
          opacity="0.7"
          vectorEffect="non-scaling-stroke"
        />
        <path d={`M${lows.join("L")}${one}`} strokeWidth={one ? 5 : 2} vectorEffect="non-scaling-stroke" />
      </g>
    );
  });
}

export function topOf(buckets: readonly Bucket[], pick: Pick): ReturnType<typeof scale> {
  return scale(Math.max(0, ...buckets.map((bucket) => pick(bucket)?.p95_ms ?? 0)));
}
