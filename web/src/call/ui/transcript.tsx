import { useEffect, useRef } from "react";
import { may, useMe } from "@/access/me";
import type { TurnTimes } from "@/call/api";
import type { Call, Snapshot } from "@/call/call";
import type { AgentLine, Line } from "@/call/model/transcript";
import { AgentWords, PersonWords, SharedFile } from "@/call/ui/lines";
import { Took, TurnTime } from "@/call/ui/turn-time";
import { useTurnTimes } from "@/call/ui/turns";

/** Everybody's words, in the order of speech. It follows the newest while one is at its end. */
export function TranscriptView({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { session, turns, transcript } = snapshot.call;
  const me = useMe();
  const times = useTurnTimes(session, turns, may(me, "operator"));
  const { lines } = transcript;
  const scroller = useFollowing(lines);
  return (
    <section
      ref={scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
      tabIndex={0}
      aria-label="Transcript"
      className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-4 py-4 md:px-5"
    >
      {lines.length === 0 ? (
        <p className="py-8 text-center text-sm text-muted">
          {snapshot.call.link.phase === "over" ? "Nothing was said." : "What is said appears here."}
        </p>
      ) : (
        <ol className="flex flex-col gap-4">
          {lines.map((line) => (
            <li key={line.id}>
              <Words line={line} call={call} snapshot={snapshot} />
              {line.kind === "agent" ? <Time line={line} times={times.get(line.turn)} session={session} /> : null}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Operators see where the time went; whoever may not read the log, how long it took. */
function Time({ line, times, session }: { line: AgentLine; times: TurnTimes | undefined; session: string }) {
  if (times !== undefined) return <TurnTime times={times} session={session} />;
  return line.took === null ? null : <Took seconds={line.took} />;
}

/** Who is not in the call, and can write to it all the same; "": by LiveKit's server, which does not say who it was. */
const NAMES: Record<string, string> = { operator: "Operator", "": "Message to the room" };

function Words({ line, call, snapshot }: { line: Line; call: Call; snapshot: Snapshot }) {
  if (line.kind === "agent") return <AgentWords line={line} voice={call.transport.voice} />;
  const mine = line.participant === call.transport.identity;
  const known = snapshot.call.people.find((person) => person.identity === line.participant);
  const name = mine ? call.wish.name || "You" : known?.name || NAMES[line.participant] || line.participant;
  if (line.kind === "file") return <SharedFile line={line} name={name} />;
  return <PersonWords line={line} name={name} />;
}

function useFollowing(lines: readonly Line[]) {
  const scroller = useRef<HTMLElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 48;
    };
    element.addEventListener("scroll", look, { passive: true });
    const grows = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    for (const child of element.children) grows.observe(child);
    return () => {
      element.removeEventListener("scroll", look);
      grows.disconnect();
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what there is to follow
  useEffect(() => {
    if (atEnd.current && scroller.current !== null) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [lines]);
  return scroller;
}
