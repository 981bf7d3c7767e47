import clsx from "clsx";
import { ArrowLeftRight } from "lucide-react";
import { Link } from "wouter";
import type { Comparison, OfSession } from "@/console/compare/data";
import { figureOf, settingOf } from "@/console/compare/model";
import { callAt, comparison } from "@/console/replay/links";
import { callers } from "@/console/shared/row";
import { clock, moment } from "@/format";
import { Card } from "@/ui/surface";

/** Which two calls these are. */
export function Heads({ found }: { found: Comparison }) {
  return (
    <div className="grid items-stretch gap-3 md:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)]">
      <Call name="A" of={found.first} />
      <Link
        href={comparison(found.second.row.session, found.first.row.session)}
        aria-label="Exchange A and B"
        title="Exchange A and B"
        className="flex size-9 items-center justify-center self-center justify-self-center rounded-full text-muted hover:bg-raised hover:text-ink max-md:rotate-90"
      >
        <ArrowLeftRight aria-hidden className="size-4" />
      </Link>
      <Call name="B" of={found.second} />
    </div>
  );
}

function Call({ name, of }: { name: string; of: OfSession }) {
  const { row, forked_from } = of;
  const from = forked_from?.turn ? `, from turn ${forked_from.turn} on` : "";
  return (
    <div className="flex min-w-0 gap-3 rounded-md border border-line bg-surface px-4 py-3">
      <span className="text-xl leading-6 font-semibold text-muted">{name}</span>
      <div className="min-w-0 text-sm">
        <Link href={callAt(row.session)} className="font-semibold break-all text-accent hover:underline">
          {callers(row)}
        </Link>
        <p className="text-xs text-muted">
          {[`agent ${row.agent}`, moment(row.started_at), clock(row.duration_s)].join(" · ")}
        </p>
        <p className="text-xs wrap-anywhere text-faint">
          {row.session}
          {forked_from ? ` · a fork of ${forked_from.session}${from}` : ""}
        </p>
      </div>
    </div>
  );
}

/** What both come to. */
export function Figures({ found }: { found: Comparison }) {
  return (
    <Card title="Figures" aside={<span className="text-xs text-muted">A, then B</span>}>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 px-4 py-3 sm:grid-cols-3">
        {found.figures.map(figureOf).map(({ name, first, second, mood }) => (
          <div key={name}>
            <dt className="text-xs text-muted">{name}</dt>
            <dd className="text-sm tabular-nums">
              {first} <span className="text-faint">→</span>{" "}
              <span className={clsx("font-semibold", mood === "better" && "text-good", mood === "worse" && "text-bad")}>
                {second}
              </span>
              {mood ? <span className="sr-only"> ({mood})</span> : null}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

/** Which settings of their agents differ. */
export function Settings({ found }: { found: Comparison }) {
  return (
    <Card title="Settings that differ">
      {found.settings.length === 0 ? (
        <p className="px-4 py-3 text-sm text-muted">None: both had the same agent.</p>
      ) : (
        <ul className="max-h-64 divide-y divide-line overflow-y-auto">
          {found.settings.map(settingOf).map(({ name, first, second }) => (
            <li key={name} className="px-4 py-2 text-sm">
              <p className="font-mono text-xs text-muted">{name}</p>
              <p className="min-w-0 break-words">
                <del className="rounded-sm bg-bad-wash px-1 text-bad no-underline">{first}</del>{" "}
                <span aria-hidden className="text-faint">
                  →
                </span>{" "}
                <ins className="rounded-sm bg-accent-wash px-1 text-accent no-underline">{second}</ins>
              </p>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
