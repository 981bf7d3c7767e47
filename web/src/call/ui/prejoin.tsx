import clsx from "clsx";
import { ChevronDown } from "lucide-react";
import { type RefObject, useState } from "react";
import type { TransportKind } from "@/call/transport/transport";
import { AgentChoice } from "@/call/ui/agent-choice";
import { LiveKitNeeds } from "@/call/ui/livekit-needs";
import { MicrophoneCheck } from "@/call/ui/microphone-check";
import type { Chosen } from "@/call/wish";
import type { Microphone } from "@/sound/microphone";
import { TextField } from "@/ui/field";

const KINDS: { kind: TransportKind; name: string; meaning: string }[] = [
  { kind: "websocket", name: "WebSocket", meaning: "You and the agent. Needs nothing but the gateway." },
  { kind: "livekit", name: "LiveKit", meaning: "A room for several people, with cameras, screens and files." },
];

interface Props {
  wish: Chosen;
  onChoose: (change: Partial<Chosen>) => void;
  tried: RefObject<Microphone | null>;
  mayHear: boolean;
}

/** Before a call, for whoever wants to choose: name, room, agent, what carries it, and whether the microphone hears. */
export function Prejoin({ wish, onChoose, tried, mayHear }: Props) {
  const [open, setOpen] = useState(wish.kind === "livekit");
  return (
    <section className="w-full">
      <button
        type="button"
        aria-expanded={open}
        aria-controls="prejoin"
        onClick={() => setOpen(!open)}
        className="mx-auto flex items-center gap-1 rounded-sm px-2 py-1 text-sm text-muted hover:text-ink"
      >
        Name, room and devices
        <ChevronDown aria-hidden className={clsx("size-4 transition-transform", open && "rotate-180")} />
      </button>
      {open ? (
        <div
          id="prejoin"
          className="mt-4 grid gap-4 rounded-lg border border-line bg-surface p-5 shadow-card sm:grid-cols-2"
        >
          <KindChoice wish={wish} onChoose={onChoose} />
          <TextField
            label="Your name"
            value={wish.name}
            maxLength={120}
            autoComplete="name"
            placeholder="You"
            onChange={(event) => onChoose({ name: event.target.value })}
          />
          <TextField
            label="Room"
            value={wish.room}
            maxLength={120}
            placeholder={wish.kind === "livekit" && wish.agent === "" ? "The default room" : "A room of its own"}
            onChange={(event) => onChoose({ room: event.target.value })}
          />
          <AgentChoice
            agent={wish.agent}
            named={wish.kind === "livekit" && wish.room !== ""}
            onChoose={(agent) => onChoose({ agent })}
          />
          {mayHear ? <MicrophoneCheck wish={wish} tried={tried} onChoose={onChoose} /> : null}
        </div>
      ) : null}
    </section>
  );
}

function KindChoice({ wish, onChoose }: Pick<Props, "wish" | "onChoose">) {
  return (
    <fieldset className="sm:col-span-2">
      <legend className="mb-1 text-sm font-medium">By</legend>
      <div className="grid grid-cols-2 gap-1 rounded-md bg-raised p-1">
        {KINDS.map(({ kind, name }) => (
          <label
            key={kind}
            className={clsx(
              "cursor-pointer rounded-sm py-2 text-center text-sm font-medium has-focus-visible:outline-2 has-focus-visible:outline-accent",
              wish.kind === kind ? "bg-surface text-ink shadow-card" : "text-muted hover:text-ink",
            )}
          >
            <input
              type="radio"
              name="kind"
              value={kind}
              checked={wish.kind === kind}
              onChange={() => onChoose({ kind })}
              className="sr-only"
            />
            {name}
          </label>
        ))}
      </div>
      <p className="mt-1 text-xs text-muted">{KINDS.find(({ kind }) => kind === wish.kind)?.meaning}</p>
      {wish.kind === "livekit" ? <LiveKitNeeds /> : null}
    </fieldset>
  );
}
