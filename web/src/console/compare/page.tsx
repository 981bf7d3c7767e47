import { useCallback, useMemo, useState } from "react";
import { Link, useSearch } from "wouter";
import { ApiError } from "@/api/client";
import { type Comparison, useComparison } from "@/console/compare/data";
import { Figures, Heads, Settings } from "@/console/compare/heads";
import { askedOf, beganAt, idOf, verdictOf } from "@/console/compare/model";
import { PairCard } from "@/console/compare/pair-card";
import { TwoPlayers } from "@/console/compare/player";
import { beside } from "@/console/session/model/turns";
import { Clock } from "@/console/session/player/clock";
import { Button } from "@/ui/button";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";

/** `/compare?a=…&b=…`: two calls side by side, turn by turn. */
export default function ComparePage() {
  const { first, second } = askedOf(useSearch());
  const read = useComparison(first, second);
  if (!first || !second)
    return (
      <Empty title="Which two calls?" action={<Link href="/sessions">To the sessions</Link>}>
        Fork a call from one of its turns, and compare the two; or give two ids in the address.
      </Empty>
    );
  if (read.data !== undefined) return <Shown key={`${first} ${second}`} found={read.data} />;
  if (read.isError) {
    const gone = read.error instanceof ApiError && read.error.status === 404;
    return (
      <Failed
        title={gone ? "One of the calls is not there" : "The calls can’t be compared"}
        {...(gone ? {} : { retry: () => void read.refetch() })}
      >
        {read.error.message}
      </Failed>
    );
  }
  return <Loading lines={8} label="Comparing the calls" />;
}

function Shown({ found }: { found: Comparison }) {
  const { turns, divergence } = found;
  const [clock] = useState(() => new Clock());
  const pair = divergence === null ? undefined : turns[divergence];
  const began = useMemo(() => turns.map(beganAt), [turns]);
  const onTurn = useCallback(
    (step: 1 | -1) => {
      const to = began[beside(began, clock.seconds, step) ?? -1];
      if (to !== undefined) clock.seek(to);
    },
    [began, clock],
  );
  const [all, setAll] = useState(false);
  const differ = turns.filter(({ differences }) => differences.length > 0).length;
  const shown = all || differ === 0 ? turns : turns.filter(({ differences }) => differences.length > 0);
  return (
    <>
      <PageHead title="Compare" lead={verdictOf(found)}>
        {pair ? (
          <Button
            onClick={() => {
              clock.seek(beganAt(pair));
              document.getElementById(idOf(pair))?.scrollIntoView({ block: "center" });
            }}
          >
            Go to where they part
          </Button>
        ) : null}
      </PageHead>
      <div className="px-4 md:px-8">
        <Heads found={found} />
      </div>
      <div className="top-0 z-20 mt-3 border-y border-line bg-paper [@media(min-height:560px)]:sticky">
        <TwoPlayers found={found} clock={clock} parting={pair ? beganAt(pair) : null} onTurn={onTurn} />
      </div>
      <div className="grid items-start gap-4 px-4 py-4 md:px-8 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-3">
          {differ > 0 && differ < turns.length ? (
            <label className="flex items-center gap-2 text-sm">
              <input
                type="checkbox"
                className="size-4 accent-accent"
                checked={all}
                onChange={(event) => setAll(event.target.checked)}
              />
              Turns that are the same, too ({turns.length - differ})
            </label>
          ) : null}
          {shown.map((one) => (
            <PairCard key={idOf(one)} pair={one} clock={clock} parting={one === pair} />
          ))}
          {turns.length === 0 ? <Empty title="Nothing was said in either of them" /> : null}
        </div>
        <div className="flex flex-col gap-4 max-xl:row-start-1">
          <Figures found={found} />
          <Settings found={found} />
        </div>
      </div>
    </>
  );
}
