import { hasFailed } from "@/console/session/model/explain";
import type { Turn } from "@/console/session/model/shapes";
import { beginning } from "@/console/session/model/turns";
import type { Clock } from "@/console/session/player/clock";
import { latency } from "@/format";
import { Button } from "@/ui/button";

/** The turns one looks for first: the slowest, those that were cut, those that got no answer. Pressed again, the next of its kind. */
export function Shortcuts({ turns, clock }: { turns: readonly Turn[]; clock: Clock }) {
  if (turns.length < 2) return null;
  const slowest = slowestOf(turns);
  const cut = turns.filter((turn) => turn.how === "interrupted" && turn.reason !== "session");
  const failed = turns.filter(hasFailed);
  const go = (found: readonly Turn[]) => {
    const next = found.find((turn) => beginning(turn) > clock.seconds + 0.01) ?? found[0];
    if (next !== undefined) clock.seek(beginning(next));
  };
  return (
    <fieldset className="flex flex-wrap gap-2">
      <legend className="sr-only">Go to a turn</legend>
      {slowest === null ? null : (
        <Button size="small" onClick={() => go([slowest])}>
          Slowest turn <span className="text-muted tabular-nums">{latency(slowest.total_ms)}</span>
        </Button>
      )}
      {cut.length === 0 ? null : (
        <Button size="small" onClick={() => go(cut)}>
          Interrupted <span className="text-muted tabular-nums">{cut.length}</span>
        </Button>
      )}
      {failed.length === 0 ? null : (
        <Button size="small" onClick={() => go(failed)}>
          Failed <span className="text-muted tabular-nums">{failed.length}</span>
        </Button>
      )}
    </fieldset>
  );
}

function slowestOf(turns: readonly Turn[]): Turn | null {
  const timed = turns.filter((turn) => turn.total_ms !== null && turn.bars.length > 0);
  return timed.reduce<Turn | null>(
    (worst, turn) => ((turn.total_ms ?? 0) > (worst?.total_ms ?? -1) ? turn : worst),
    null,
  );
}
