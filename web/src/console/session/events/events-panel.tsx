import { Download } from "lucide-react";
import { useDeferredValue, useMemo, useState } from "react";
import { EventBody } from "@/console/session/events/event-body";
import { EventList } from "@/console/session/events/event-list";
import { FilterBar } from "@/console/session/events/filter-bar";
import { at, type EventBuffer } from "@/console/session/model/buffer";
import { ALL, kindsOf, matching } from "@/console/session/model/filter";
import type { Clock } from "@/console/session/player/clock";
import { IconButton } from "@/ui/button";
import { Empty, Failed } from "@/ui/state";

interface Props {
  session: string;
  clock: Clock;
  buffer: EventBuffer;
  complete: boolean;
  failed: string | null;
  again: () => void;
  /** Seq of the event that is open, and of the last one that had happened where the clock stands. */
  chosen: number | null;
  now: number;
  onChoose: (seq: number | null) => void;
  link: (seq: number) => string;
}

/** The log itself: every event, in order. Choosing one moves the clock; the clock, as it goes, marks where it is. */
export function EventsPanel({ session, clock, buffer, complete, failed, again, chosen, now, onChoose, link }: Props) {
  const [filter, setFilter] = useState(ALL);
  const [inStep, setInStep] = useState(true);
  const wanted = useDeferredValue(filter);
  const { events } = buffer;
  const kinds = useMemo(() => kindsOf(events), [events]);
  const shown = useMemo(() => matching(events, wanted), [events, wanted]);
  const opened = chosen === null ? undefined : at(buffer, chosen);
  const choose = (seq: number) => {
    const event = at(buffer, seq);
    if (event === undefined) return;
    clock.pause();
    clock.seek(event.at_s);
    onChoose(seq);
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <FilterBar filter={filter} kinds={kinds} onFilter={setFilter}>
        <IconButton
          size="small"
          label={`Download ${shown.length === events.length ? "all" : "these"} ${shown.length} events as JSON`}
          disabled={shown.length === 0}
          onClick={() => save(`${session}.events.json`, shown)}
        >
          <Download aria-hidden className="size-4" />
        </IconButton>
      </FilterBar>
      <p className="flex items-center justify-between gap-2 px-4 pb-2 text-xs text-muted">
        <span aria-live={shown.length === events.length ? "off" : "polite"}>
          {shown.length === events.length ? `${events.length} events` : `${shown.length} of ${events.length} events`}
          {complete || failed !== null ? "" : ", more to come"}
        </span>
        <label className="flex items-center gap-1.5">
          <input type="checkbox" checked={inStep} onChange={(event) => setInStep(event.target.checked)} />
          In step with the clock
        </label>
      </p>
      {failed === null ? null : (
        <Failed title="The events can’t be read" retry={again}>
          {failed}
        </Failed>
      )}
      {shown.length === 0 && failed === null ? (
        <Empty title={events.length ? "No event is like that" : "No events yet"}>
          {events.length ? "Take a filter away, or look for another word." : null}
        </Empty>
      ) : (
        <EventList events={shown} chosen={chosen} now={now} inStep={inStep} onChoose={choose} />
      )}
      {opened === undefined ? null : (
        <EventBody event={opened} onClose={() => onChoose(null)} link={() => link(opened.seq)} />
      )}
    </div>
  );
}

function save(name: string, value: unknown): void {
  const address = URL.createObjectURL(new Blob([JSON.stringify(value, null, 1)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
