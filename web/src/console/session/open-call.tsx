import { lazy, Suspense, useCallback, useMemo, useRef, useState } from "react";
import { useMe } from "@/access/me";
import { useLive, useOpening } from "@/console/session/clocking";
import type { Log } from "@/console/session/data/events";
import { EventsPanel } from "@/console/session/events/events-panel";
import { Head } from "@/console/session/head";
import { useHeight, useToTheEnd, useWide } from "@/console/session/layout";
import { at } from "@/console/session/model/buffer";
import { indexAt, tellingTimes, writeMoment } from "@/console/session/model/moments";
import type { SessionView } from "@/console/session/model/shapes";
import { beginning } from "@/console/session/model/turns";
import { voicesOf } from "@/console/session/model/voices";
import { workOf } from "@/console/session/model/work";
import { MomentPanel } from "@/console/session/moment/moment";
import { Clock, useClock } from "@/console/session/player/clock";
import { Player, useTurnAt } from "@/console/session/player/player";
import { Tabs } from "@/console/session/tabs";
import { Around } from "@/console/session/turns/around";
import { Shortcuts } from "@/console/session/turns/shortcuts";
import { TurnList } from "@/console/session/turns/turn-list";

const ForkDialog = lazy(() => import("@/console/replay/fork-dialog"));

type Shown = "turns" | "moment" | "events";

const TURNS = { name: "turns", title: "Turns" } as const;
const MOMENT = { name: "moment", title: "This moment" } as const;

/** The call: its player above; its turns; and beside them, or in their place where it is narrow, this moment and the events. */
export function OpenCall({ session, view, log }: { session: string; view: SessionView; log: Log }) {
  const { row, turns } = view;
  const { events, epoch } = log.buffer;
  const [clock] = useState(() => new Clock());
  const [chosen, setChosen] = useState<number | null>(null);
  const [forking, setForking] = useState<number | null>(null);
  const me = useMe();
  const live = row.state === "open" && events.at(-1)?.type !== "session.ended";
  const forkable = me.features.replay && !live;
  const times = useMemo(() => tellingTimes(events), [events]);
  const works = useMemo(() => workOf(events), [events]);
  const voices = useMemo(() => voicesOf(events), [events]);
  const beginnings = useMemo(() => turns.map(beginning), [turns]);
  const notes = useMemo(
    () => [...view.notes.filter((note) => !QUIET.has(note.kind)), ...turns.flatMap((turn) => turn.notes)],
    [view.notes, turns],
  );
  useLive(clock, row.duration_s, events, live);
  useOpening(clock, log, live, setChosen);

  const now = useClock(clock, (one) => indexAt(times, one.seconds));
  const picked = useClock(clock, (one) => {
    const event = chosen === null ? undefined : at(log.buffer, chosen);
    return event !== undefined && Math.abs(event.at_s - one.seconds) < 0.005 ? event.seq : null;
  });
  const event = picked === null ? events[now] : at(log.buffer, picked);
  const current = useTurnAt(clock, beginnings);

  const wide = useWide();
  const [shown, setShown] = useState<Shown>(() => (window.location.search.includes("event=") ? "events" : "turns"));
  const aside = shown === "turns" ? "moment" : shown;
  const player = useRef<HTMLDivElement>(null);
  const covered = useHeight(player);
  const beside = useRef<HTMLElement>(null);
  useToTheEnd(beside, wide, covered);
  const address = useCallback((search: string) => window.location.origin + window.location.pathname + search, []);
  const link = useCallback(() => address(writeMoment({ seconds: clock.seconds })), [address, clock]);

  const showEvent = (seq: number) => {
    clock.pause();
    clock.seek(at(log.buffer, seq)?.at_s ?? clock.duration);
    setChosen(seq);
    setShown("events");
  };

  const turnsShown = (
    <div className="flex flex-col gap-3 p-4 md:px-8">
      <Shortcuts turns={turns} clock={clock} />
      <Around notes={view.notes} clock={clock} />
      <TurnList
        {...{ clock, turns, works, voices, current, covered, live }}
        agent={row.agent}
        onFork={forkable ? setForking : null}
      />
    </div>
  );
  const momentShown = <MomentPanel session={session} clock={clock} event={event} epoch={epoch} />;
  const eventsShown = (
    <EventsPanel
      {...{ session, clock, chosen }}
      buffer={log.buffer}
      complete={log.complete}
      failed={log.failed?.message ?? null}
      again={log.again}
      now={event?.seq ?? 0}
      onChoose={setChosen}
      link={(seq) => address(writeMoment({ event: seq }))}
    />
  );
  return (
    <>
      <Head {...{ session, row, live, clock }} phase={log.phase} onEvent={showEvent} forkedFrom={view.forked_from} />
      <Suspense>
        {forking === null ? null : <ForkDialog session={session} turn={forking} onClose={() => setForking(null)} />}
      </Suspense>
      <div ref={player} className="top-0 z-20 border-b border-line bg-paper [@media(min-height:560px)]:sticky">
        <Player {...{ session, clock, live, turns, notes, voices, link }} />
        {wide ? null : (
          <Tabs
            label="What is shown of the call"
            tabs={[TURNS, MOMENT, { name: "events", title: "Events", count: events.length }]}
            chosen={shown}
            onChoose={setShown}
          />
        )}
      </div>
      {wide ? (
        <div className="grid grid-cols-[minmax(0,1fr)_27rem]">
          {turnsShown}
          <aside
            ref={beside}
            aria-busy={!log.complete && log.failed === null}
            className="sticky flex h-dvh flex-col self-start border-l border-line bg-surface"
            style={{ top: covered }}
          >
            <Tabs
              label="Beside the turns"
              tabs={[MOMENT, { name: "events", title: "Events", count: events.length }]}
              chosen={aside}
              onChoose={setShown}
            />
            <Panel name={aside} scrolls>
              {aside === "moment" ? momentShown : eventsShown}
            </Panel>
          </aside>
        </div>
      ) : shown === "events" ? (
        <div className="min-h-96 bg-surface" style={{ height: `calc(100dvh - ${covered}px - 3.5rem)` }}>
          <Panel name="events" scrolls>
            {eventsShown}
          </Panel>
        </div>
      ) : (
        <Panel name={shown}>{shown === "moment" ? momentShown : turnsShown}</Panel>
      )}
    </>
  );
}

/** Notes that belong to every call: no marks on its clock. */
const QUIET: ReadonlySet<string> = new Set(["joined", "left"]);

function Panel({ name, scrolls = false, children }: { name: Shown; scrolls?: boolean; children: React.ReactNode }) {
  return (
    <div
      id={`panel-${name}`}
      role="tabpanel"
      aria-labelledby={`tab-${name}`}
      className={scrolls ? "h-full min-h-0 flex-1 overflow-y-auto" : undefined}
    >
      {children}
    </div>
  );
}
