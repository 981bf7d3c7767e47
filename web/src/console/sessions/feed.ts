import type { StreamEvent } from "@/api/stream";
import type { Rows } from "@/console/sessions/rows";
import type { Row } from "@/console/shared/row";

interface Change {
  whole: boolean;
  /** Parts of the whole follow. */
  more?: boolean;
  changed: Row[];
  gone: string[];
}

type Page = { sessions: readonly Row[] };

/** What the stream of rows tells. It begins anew with all live sessions, in parts; what ended before that, it doesn't tell. */
export class Feed {
  private parts: Row[] | null = null;
  private begun = false;

  /** `readAnew`: the stored rows as they are now. */
  constructor(private readonly readAnew: () => Promise<readonly Page[]>) {}

  take(rows: Rows, events: readonly StreamEvent[]): void {
    for (const { event, data } of events) if (event === "rows") this.change(rows, data as Change);
  }

  private change(rows: Rows, { whole, more = false, changed, gone }: Change): void {
    rows.merge(changed);
    rows.remove(gone);
    if (whole) this.parts = [];
    if (this.parts === null) return;
    this.parts.push(...changed);
    if (more) return;
    const live = new Set(this.parts.map(({ session }) => session));
    this.parts = null;
    void this.settle(
      rows,
      rows.live().filter((session) => !live.has(session)),
    );
  }

  /** Those of `missing` have ended, or were never known to end: where there was a gap, the stored rows tell which. */
  private async settle(rows: Rows, missing: readonly string[]): Promise<void> {
    if (this.begun) for (const page of await this.readAnew()) rows.mergePage(page);
    this.begun = true;
    rows.remove(rows.live(missing));
  }
}
