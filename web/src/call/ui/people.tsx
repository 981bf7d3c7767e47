import { MicOff, UserMinus } from "lucide-react";
import { useState } from "react";
import type { Call, Snapshot } from "@/call/call";
import type { Person } from "@/call/model/events";
import { QualityBars } from "@/call/ui/status";
import { messageOf } from "@/format";
import { IconButton } from "@/ui/button";
import { Chip } from "@/ui/surface";

/** Who is there. Operators may put people out of a LiveKit room. */
export function People({ call, snapshot, mayRemove }: { call: Call; snapshot: Snapshot; mayRemove: boolean }) {
  const [problem, setProblem] = useState("");
  const remove = call.transport.remove;
  const people = snapshot.call.people;
  if (people.length === 0) return <p className="text-sm text-muted">Nobody is there yet.</p>;
  return (
    <>
      <ul className="flex flex-col divide-y divide-line">
        {people.map((person) => (
          <li key={person.identity} className="flex min-h-12 items-center gap-3 py-1 text-sm">
            <span className="min-w-0 flex-1 truncate">
              {person.name || person.identity}
              {person.kind === "me" ? <span className="text-muted"> (you)</span> : null}
            </span>
            {person.speaking ? <Chip mood="accent">speaking</Chip> : null}
            {person.kind === "agent" ? <Chip>agent</Chip> : null}
            {person.muted ? <MicOff aria-label="muted" className="size-4 text-muted" /> : null}
            {person.quality === "unknown" ? null : <QualityBars quality={person.quality} />}
            {remove !== null && mayRemove && person.kind !== "me" ? (
              <Remove person={person} remove={remove} onProblem={setProblem} />
            ) : null}
          </li>
        ))}
      </ul>
      {problem ? (
        <p role="alert" className="mt-3 text-sm text-bad">
          {problem}
        </p>
      ) : null}
      {call.transport.kind === "websocket" ? (
        <p className="mt-3 text-xs text-muted">
          A WebSocket call is one person and the agent. LiveKit rooms hold more.
        </p>
      ) : null}
    </>
  );
}

function Remove({
  person,
  remove,
  onProblem,
}: {
  person: Person;
  remove: (identity: string) => Promise<void>;
  onProblem: (problem: string) => void;
}) {
  return (
    <IconButton
      size="small"
      label={`Remove ${person.name || person.identity} from the room`}
      onClick={() => remove(person.identity).catch((error: unknown) => onProblem(messageOf(error)))}
    >
      <UserMinus aria-hidden className="size-4" />
    </IconButton>
  );
}
