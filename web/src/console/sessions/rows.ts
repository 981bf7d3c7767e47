import type { Row } from "@/console/shared/row";

type Listener = () => void;

/** The sessions known to this page, the newest first. Who shows one row listens to that row alone; who shows the list hears only
 * of rows that come, go or move: 500 live sessions change all the time, and the list doesn't. */
export class Rows {
  private readonly held = new Map<string, Row>();
  private ids: readonly string[] = [];
  private readonly pages = new WeakSet<object>();
  private readonly toList = new Set<Listener>();
  private readonly toRow = new Map<string, Set<Listener>>();

  constructor(private readonly belongs: (row: Row) => boolean) {}

  list = (): readonly string[] => this.ids;

  row = (session: string): Row | undefined => this.held.get(session);

  /** A page of stored rows, once: what it says is old by the time the next one comes. */
  mergePage(page: { sessions: readonly Row[] }): void {
    if (this.pages.has(page)) return;
    this.pages.add(page);
    this.merge(page.sessions);
  }

  /** Rows as they are now, or were: one that is known as it was later stays so, one that no longer belongs leaves. */
  merge(rows: readonly Row[]): void {
    let moved = false;
    for (const row of rows) {
      const before = this.held.get(row.session);
      if (before !== undefined && before.last_at > row.last_at) continue;
      if (!this.belongs(row)) {
        moved = this.held.delete(row.session) || moved;
        continue;
      }
      this.held.set(row.session, row);
      if (before === undefined || before.started_at !== row.started_at) moved = true;
      if (before !== undefined && !same(before, row)) this.tellRow(row.session);
    }
    if (moved) this.arrange();
  }

  /** Those of `among` that are still held as live; without it, all that are. */
  live(among: Iterable<string> = this.held.keys()): string[] {
    return [...among].filter((session) => this.held.get(session)?.state === "open");
  }

  remove(sessions: readonly string[]): void {
    let moved = false;
    for (const session of sessions) moved = this.held.delete(session) || moved;
    if (moved) this.arrange();
  }

  onList = (tell: Listener): (() => void) => {
    this.toList.add(tell);
    return () => this.toList.delete(tell);
  };

  onRow(session: string, tell: Listener): () => void {
    const listeners = this.toRow.get(session) ?? new Set();
    this.toRow.set(session, listeners.add(tell));
    return () => {
      listeners.delete(tell);
      if (listeners.size === 0) this.toRow.delete(session);
    };
  }

  private arrange(): void {
    const rows = [...this.held.values()];
    rows.sort((a, b) => compare(b.started_at, a.started_at) || compare(b.session, a.session));
    this.ids = rows.map(({ session }) => session);
    for (const tell of this.toList) tell();
  }

  private tellRow(session: string): void {
    for (const tell of this.toRow.get(session) ?? []) tell();
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function same(a: Row, b: Row): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
