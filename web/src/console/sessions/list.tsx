import { useWindowVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import {
  type KeyboardEvent,
  memo,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Link } from "wouter";
import { useRow } from "@/console/sessions/data";
import { CardLine, COLUMNS, Line, WIDE_ONLY } from "@/console/sessions/line";
import type { Rows } from "@/console/sessions/rows";
import { step } from "@/console/shared/keys";
import { useNarrow } from "@/console/shared/media";

const LINE = 56;
const CARD = 96;
/** Lines before the end at which the next page is fetched. */
const AHEAD = 15;

/** A long list of which only what is in view is drawn. Arrows, Page, Home and End go through it, Enter opens. */
export function List({ rows, ids, onEnd }: { rows: Rows; ids: readonly string[]; onEnd: () => void }) {
  const narrow = useNarrow();
  const body = useRef<(HTMLUListElement & HTMLTableSectionElement) | null>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState<string | null>(null);
  const wanted = useRef<string | null>(null);

  useLayoutEffect(() => {
    const measure = () => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, []);

  const height = narrow ? CARD : LINE;
  const virtual = useWindowVirtualizer({
    count: ids.length,
    estimateSize: () => height,
    getItemKey: useCallback((index: number) => ids[index] ?? index, [ids]),
    overscan: 8,
    scrollMargin: top,
    scrollPaddingStart: 48,
    scrollPaddingEnd: 88,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height is another layout
  useEffect(() => virtual.measure(), [height]);

  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= ids.length - AHEAD) onEnd();
  }, [last, ids.length, onEnd]);

  useEffect(() => {
    // the line that the keyboard went to may only now be there
    if (wanted.current === null) return;
    const link = body.current?.querySelector<HTMLElement>(`[data-session="${CSS.escape(wanted.current)}"]`);
    if (!link) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
  });

  const at = current === null ? -1 : ids.indexOf(current);
  const reachable = at === -1 ? (ids[0] ?? null) : current;

  function onKeyDown(event: KeyboardEvent) {
    const to = step(event.key, Math.max(at, 0), ids.length, Math.floor(window.innerHeight / height) - 3);
    const session = to === null ? undefined : ids[to];
    if (to === null || session === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    wanted.current = session;
    setCurrent(session);
    virtual.scrollToIndex(to, { align: "auto" });
  }

  const items = shown.map(({ index, key, start }) => {
    const session = ids[index];
    if (session === undefined) return null;
    const place = { index, offset: start - top, reachable: session === reachable, onFocus: setCurrent };
    return narrow ? (
      <Card key={key} rows={rows} session={session} {...place} />
    ) : (
      <TableRow key={key} rows={rows} session={session} {...place} />
    );
  });
  const style = { height: virtual.getTotalSize() };
  if (narrow)
    return (
      <ul ref={body} aria-label="Sessions" className="relative" style={style} onKeyDown={onKeyDown}>
        {items}
      </ul>
    );
  return (
    <div className="@container">
      <table className="block" aria-label="Sessions" aria-rowcount={ids.length + 1}>
        <Head />
        <tbody ref={body} className="relative block" style={style} onKeyDown={onKeyDown}>
          {items}
        </tbody>
      </table>
    </div>
  );
}

const RIGHT = "text-right font-normal";
const LEFT = "text-left font-normal";

function Head() {
  return (
    <thead className="sticky top-0 z-10 block border-b border-line bg-paper">
      <tr className={clsx(COLUMNS, "h-9 text-xs text-muted")}>
        <th className={LEFT}>State</th>
        <th className={LEFT}>Session</th>
        <th className={clsx(LEFT, WIDE_ONLY)}>Agent</th>
        <th className={clsx(LEFT, WIDE_ONLY)}>Started</th>
        <th className={RIGHT}>Duration</th>
        <th className={RIGHT}>Turns</th>
        <th className={RIGHT} title="The last turn: from the caller's last word to the agent's first sound">
          Last
        </th>
        <th className={RIGHT} title="The slowest turn">
          Worst
        </th>
        <th className={clsx(LEFT, WIDE_ONLY, "pl-4")}>Transport</th>
      </tr>
    </thead>
  );
}

interface ItemProps {
  rows: Rows;
  session: string;
  index: number;
  offset: number;
  reachable: boolean;
  onFocus: (session: string) => void;
}

const PLACED = "absolute inset-x-0 border-b border-line hover:bg-raised";

const TableRow = memo(function TableRow({ index, offset, ...item }: ItemProps) {
  const row = useRow(item.rows, item.session);
  return (
    <tr
      aria-rowindex={index + 2}
      className={clsx(PLACED, COLUMNS)}
      style={{ height: LINE, transform: `translateY(${offset}px)` }}
    >
      {row ? <Line row={row} link={(words) => <SessionLink {...item}>{words}</SessionLink>} /> : null}
    </tr>
  );
});

const Card = memo(function Card({ index: _, offset, ...item }: ItemProps) {
  const row = useRow(item.rows, item.session);
  return (
    <li className={PLACED} style={{ height: CARD, transform: `translateY(${offset}px)` }}>
      {row ? <CardLine row={row} link={(words) => <SessionLink {...item}>{words}</SessionLink>} /> : null}
    </li>
  );
});

/** Covers its whole line. */
function SessionLink({
  session,
  reachable,
  onFocus,
  children,
}: {
  session: string;
  reachable: boolean;
  onFocus: (session: string) => void;
  children: ReactNode;
}) {
  return (
    <Link
      href={`/sessions/${encodeURIComponent(session)}`}
      data-session={session}
      tabIndex={reachable ? 0 : -1}
      onFocus={() => onFocus(session)}
      className="flex min-w-0 outline-none after:absolute after:inset-0 focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
    >
      {children}
    </Link>
  );
}
