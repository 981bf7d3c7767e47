import clsx from "clsx";
import { Play } from "lucide-react";
import { memo } from "react";
import type { Pair, Side, Stretch } from "@/console/compare/data";
import { Latency } from "@/console/compare/latency";
import { beganAt, idOf, nameOf, type Which, wordsOf } from "@/console/compare/model";
import { clockTime } from "@/console/session/model/clock-time";
import type { Clock } from "@/console/session/player/clock";
import { latency, sentence } from "@/format";
import { Button } from "@/ui/button";
import { Chip } from "@/ui/surface";

interface Props {
  pair: Pair;
  clock: Clock;
  /** They part here. */
  parting: boolean;
}

/** The same turn in both calls: what differs in words, then side by side. */
export const PairCard = memo(function PairCard({ pair, clock, parting }: Props) {
  const began = beganAt(pair);
  const id = idOf(pair);
  return (
    <article
      id={id}
      aria-labelledby={`${id}-name`}
      className={clsx(
        "rounded-md border bg-surface [contain-intrinsic-size:auto_16rem] [content-visibility:auto]",
        parting ? "border-warn" : "border-line",
      )}
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-3">
        <h2 id={`${id}-name`} className="text-sm font-semibold">
          {nameOf(pair)}
        </h2>
        {pair.differences.length === 0 ? <Chip>the same</Chip> : null}
        {parting ? <Chip mood="warn">here they part</Chip> : null}
        <Button
          size="small"
          tone="quiet"
          className="ml-auto tabular-nums"
          icon={<Play aria-hidden className="size-3.5" />}
          aria-label={`Play both from ${clockTime(began)}`}
          onClick={() => {
            clock.seek(began);
            void clock.play();
          }}
        >
          {clockTime(began)}
        </Button>
      </header>
      {pair.differences.length > 0 ? (
        <ul aria-label="What differs in B" className="flex flex-col gap-0.5 px-4 pt-1 text-sm">
          {pair.differences.map((one) => (
            <li key={one.text} className={one.parts ? "font-medium" : "text-muted"}>
              {sentence(one.text)}
            </li>
          ))}
        </ul>
      ) : null}
      <div className="grid gap-x-6 gap-y-4 px-4 pt-3 md:grid-cols-2">
        <SideShown name="A" side={pair.first} heard={pair.heard} said={pair.said} which="first" />
        <SideShown name="B" side={pair.second} heard={pair.heard} said={pair.said} which="second" />
      </div>
      <Latency pair={pair} />
      <div className="h-4" />
    </article>
  );
});

interface SideProps {
  name: string;
  side: Side | null;
  heard: readonly Stretch[];
  said: readonly Stretch[];
  which: Which;
}

function SideShown({ name, side, heard, said, which }: SideProps) {
  if (side === null)
    return (
      <section aria-label={`In ${name}`} className="flex min-w-0 gap-3">
        <Letter>{name}</Letter>
        <p className="text-sm text-faint">There is no such turn.</p>
      </section>
    );
  return (
    <section aria-label={`In ${name}`} className="flex min-w-0 gap-3">
      <Letter>{name}</Letter>
      <div className="flex min-w-0 flex-1 flex-col gap-1.5 text-sm">
        {side.own ? null : (
          <p className="min-w-0 break-words">
            <span className="sr-only">Caller: </span>
            <Words stretches={heard} which={which} none="Nothing was understood." />
          </p>
        )}
        <p className="min-w-0 border-l-2 border-accent pl-2 break-words">
          <span className="sr-only">Agent: </span>
          <Words stretches={said} which={which} none="It said nothing." />
        </p>
        <p className="text-xs text-muted tabular-nums">
          {[
            side.end,
            side.own ? "" : `given the floor after ${latency(side.delay_ms)}`,
            side.tools.length ? `called ${side.tools.join(", ")}` : "",
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
    </section>
  );
}

function Letter({ children }: { children: string }) {
  return (
    <span aria-hidden className="w-3 shrink-0 text-xs leading-5 font-semibold text-muted">
      {children}
    </span>
  );
}

const MARKED: Record<Which, string> = {
  first: "bg-bad-wash text-bad no-underline",
  second: "bg-accent-wash text-accent no-underline",
};

/** What the other has not is marked; read aloud, as taken out or put in. */
function Words({ stretches, which, none }: { stretches: readonly Stretch[]; which: Which; none: string }) {
  const words = wordsOf(stretches, which);
  if (words.length === 0) return <span className="text-faint">{none}</span>;
  const Mark = which === "first" ? "del" : "ins";
  return words.map(({ text, differs }, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: stretches of a text stand where they stand
    <span key={place}>
      {place > 0 ? " " : ""}
      {differs ? <Mark className={clsx("rounded-sm px-0.5", MARKED[which])}>{text}</Mark> : text}
    </span>
  ));
}
