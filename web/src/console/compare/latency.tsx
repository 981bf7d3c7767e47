import type { Pair } from "@/console/compare/data";
import { partName } from "@/console/latency/model";
import { latency } from "@/format";
import { PART_COLOUR } from "@/ui/part-colours";

/** Where the time went in both, part by part: A above B. Nothing where neither was waited for. */
export function Latency({ pair }: { pair: Pair }) {
  const rows = pair.latency.filter(({ first, second }) => first !== null || second !== null);
  const [total, ...parts] = rows;
  if (total === undefined || total.part !== "total") return null;
  const longest = Math.max(1, ...parts.flatMap(({ first, second }) => [first ?? 0, second ?? 0]));
  return (
    <details className="px-4 pt-3">
      <summary className="w-fit rounded-sm text-xs text-muted tabular-nums hover:text-ink">
        Answered after {latency(total.first)} in A, {latency(total.second)} in B{change(total.first, total.second)}
      </summary>
      <ul aria-label="Parts of the wait" className="grid gap-1.5 pt-2">
        {parts.map(({ part, first, second }) => (
          <li key={part} className="grid grid-cols-[5rem_minmax(0,1fr)_4rem] items-center gap-x-2 text-xs">
            <span className="text-muted">{partName(part)}</span>
            <span aria-hidden className="flex flex-col gap-0.5">
              {[first, second].map((ms, place) => (
                <span
                  // biome-ignore lint/suspicious/noArrayIndexKey: A, then B
                  key={place}
                  className={`block h-1.5 min-w-px rounded-full ${PART_COLOUR[part] ?? "bg-part-playout"} ${place ? "" : "opacity-50"}`}
                  style={{ width: `${(100 * (ms ?? 0)) / longest}%` }}
                />
              ))}
            </span>
            <span className="flex flex-col text-right text-2xs leading-3 tabular-nums">
              <span className="text-muted">
                <span className="sr-only">in A </span>
                {latency(first)}
              </span>
              <span>
                <span className="sr-only">, in B </span>
                {latency(second)}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function change(first: number | null, second: number | null): string {
  if (first === null || second === null || Math.abs(second - first) < 5) return "";
  return `: ${latency(Math.abs(second - first))} ${second > first ? "slower" : "faster"}`;
}
