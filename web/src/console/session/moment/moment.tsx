import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { stateAt } from "@/console/session/data/session";
import { clockTime } from "@/console/session/model/clock-time";
import type { LogEvent, SessionState } from "@/console/session/model/shapes";
import { Chat } from "@/console/session/moment/chat";
import { type Clock, useClock } from "@/console/session/player/clock";
import { Empty, Failed, Loading } from "@/ui/state";
import { Chip, type Mood } from "@/ui/surface";

interface Props {
  session: string;
  clock: Clock;
  /** The last event that had happened, undefined before the first. */
  event: LogEvent | undefined;
  epoch: number;
}

/** The session as it was when the clock's hand stands: who had the floor, who was there, what the LLM would be told. */
export function MomentPanel({ session, clock, event, epoch }: Props) {
  const seconds = useClock(clock, (one) => clockTime(one.seconds));
  const seq = useSettled(event?.seq ?? 0);
  const state = useQuery({
    queryKey: ["state", session, epoch, seq],
    queryFn: ({ signal }) => stateAt(session, seq, signal),
    enabled: seq > 0,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  if (seq === 0) return <Empty title="Nothing had happened yet">Move along the clock.</Empty>;
  if (state.isError && state.data === undefined)
    return (
      <Failed title="The state at this moment can’t be read" retry={() => void state.refetch()}>
        {state.error.message}
      </Failed>
    );
  if (state.data === undefined) return <Loading label="Reading the state" />;
  return (
    <div className="flex flex-col gap-4 p-4">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Floor floor={state.data.floor} ended={state.data.ended !== null} />
        <span className="text-xs text-muted tabular-nums">
          at {seconds}, after event {seq}
        </span>
      </div>
      <People state={state.data} />
      <Now state={state.data} />
      <Chat messages={state.data.messages} />
    </div>
  );
}

const FLOORS: Record<SessionState["floor"], [text: string, mood: Mood]> = {
  agent: ["The agent has the floor", "accent"],
  user: ["The caller has the floor", "neutral"],
  none: ["Nobody has the floor", "neutral"],
};

function Floor({ floor, ended }: { floor: SessionState["floor"]; ended: boolean }) {
  const [text, mood] = FLOORS[floor];
  return <Chip mood={mood}>{ended ? "The call is over" : text}</Chip>;
}

function People({ state }: { state: SessionState }) {
  const people = Object.values(state.participants);
  if (people.length === 0) return null;
  return (
    <ul aria-label="Who was there" className="flex flex-wrap gap-2">
      {people.map((one) => (
        <li key={one.identity}>
          <Chip mood={one.speaking ? "accent" : "neutral"}>
            {one.name || one.identity}
            {one.speaking ? ", speaking" : one.present ? "" : ", gone"}
          </Chip>
        </li>
      ))}
    </ul>
  );
}

/** The turns that were not over, and what was asked for and had not begun. */
function Now({ state }: { state: SessionState }) {
  const open = Object.values(state.turns).filter((turn) => turn.end === null);
  if (open.length === 0 && state.says.length === 0) return null;
  return (
    <section className="flex flex-col gap-2 text-sm">
      <h2 className="text-xs font-semibold text-muted">Just then</h2>
      {open.map((turn) => {
        const said = turn.utterances.map((one) => one.text ?? one.before).filter(Boolean);
        const typed = turn.letters.map((one) => one.text);
        const soFar = Object.values(turn.partials).map((text) => `${text} …`);
        const words = [...said, ...typed, ...soFar].join(" ");
        const speaks = Object.values(turn.reply?.sentences ?? {}).some((one) => one.started_at !== null);
        return (
          <p key={turn.id}>
            Turn {turn.id}:{" "}
            {speaks ? "the agent speaks" : turn.commit ? "the answer is being made" : "the caller is listened to"}
            {words ? `: “${words}”` : ""}
          </p>
        );
      })}
      {state.says.map((say) => (
        <p key={say.text}>Asked to say: “{say.text}”</p>
      ))}
    </section>
  );
}

/** The value once it has stood still for a moment, at least a few times a second: a drag is not a question for each pixel. */
function useSettled(value: number): number {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), 80);
    return () => window.clearTimeout(timer);
  }, [value]);
  return settled === 0 ? value : settled;
}
