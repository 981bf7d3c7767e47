import { useMutation, useQuery } from "@tanstack/react-query";
import { type ReactNode, useRef, useState } from "react";
import { answered, api } from "@/api/client";
import { stateAt } from "@/console/session/data/session";
import type { Receipt } from "@/console/session/model/shapes";
import { Button } from "@/ui/button";
import { Select, TextArea } from "@/ui/field";
import { Failed, Loading } from "@/ui/state";

type Done = (receipt: Receipt) => void;

/** Something asked of the session. Sent again as it is, after an answer that was lost, it is the same request. */
function useAsk<Body>(onDone: Done, send: (body: Body, header: { "idempotency-key": string }) => Promise<Receipt>) {
  const keys = useRef(new Map<string, string>());
  const keyOf = (body: Body) => {
    const asked = JSON.stringify(body);
    const key = keys.current.get(asked) ?? Math.random().toString(36).slice(2) + Date.now().toString(36);
    keys.current.set(asked, key);
    return key;
  };
  return useMutation({ mutationFn: (body: Body) => send(body, { "idempotency-key": keyOf(body) }), onSuccess: onDone });
}

/** As much as a caller may type at once. */
const LONGEST = 4_000;

export function SayForm({ session, onDone }: { session: string; onDone: Done }) {
  const [text, setText] = useState("");
  const [interrupt, setInterrupt] = useState(false);
  const [interruptible, setInterruptible] = useState(true);
  const asked = useAsk(onDone, (body: { text: string; interrupt: boolean; interruptible: boolean }, header) =>
    answered(api.POST("/v1/sessions/{session}/say", { params: { path: { session }, header }, body })),
  );
  return (
    <Form
      word="Say it"
      ready={text.trim() !== "" && !asked.isPending}
      onSubmit={() => asked.mutate({ text, interrupt, interruptible })}
    >
      <TextArea
        label="The agent says"
        hint="Spoken as it stands, in the agent’s voice."
        error={asked.error?.message}
        rows={4}
        maxLength={LONGEST}
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" checked={interrupt} onChange={(event) => setInterrupt(event.target.checked)} />
        At once, whatever the agent is saying
      </label>
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" checked={!interruptible} onChange={(event) => setInterruptible(!event.target.checked)} />
        To its end, whoever speaks meanwhile
      </label>
    </Form>
  );
}

export interface Sender {
  identity: string;
  name: string;
}

export function MessageForm({ session, senders, onDone }: { session: string; senders: Sender[]; onDone: Done }) {
  const [text, setText] = useState("");
  const [participant, setParticipant] = useState("operator");
  const asked = useAsk(onDone, (body: { text: string; participant: string }, header) =>
    answered(api.POST("/v1/sessions/{session}/message", { params: { path: { session }, header }, body })),
  );
  return (
    <Form
      word="Send"
      ready={text.trim() !== "" && !asked.isPending}
      onSubmit={() => asked.mutate({ text, participant })}
    >
      <TextArea
        label="Message"
        hint="Answered aloud, as if it had been said; it interrupts the agent."
        error={asked.error?.message}
        rows={4}
        maxLength={LONGEST}
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Select label="In the name of" value={participant} onChange={(event) => setParticipant(event.target.value)}>
        <option value="operator">an operator</option>
        {senders.map((one) => (
          <option key={one.identity} value={one.identity}>
            {one.name || one.identity}
          </option>
        ))}
      </Select>
    </Form>
  );
}

interface FormProps {
  word: string;
  ready: boolean;
  onSubmit: () => void;
  children: ReactNode;
}

function Form({ word, ready, onSubmit, children }: FormProps) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onSubmit();
      }}
      className="flex flex-col gap-4"
    >
      {children}
      <Button type="submit" tone="primary" className="self-end" disabled={!ready}>
        {word}
      </Button>
    </form>
  );
}

/** The instructions as they are now are read first: they are what is changed. */
export function InstructionsForm({ session, onDone }: { session: string; onDone: Done }) {
  const now = useQuery({
    queryKey: ["instructions", session],
    queryFn: ({ signal }) => stateAt(session, undefined, signal),
    staleTime: 0,
    gcTime: 0,
  });
  if (now.data !== undefined) return <Changed session={session} before={now.data.instructions} onDone={onDone} />;
  if (now.isError) return <Failed title="The instructions can’t be read">{now.error.message}</Failed>;
  return <Loading lines={3} label="Reading the instructions" />;
}

function Changed({ session, before, onDone }: { session: string; before: string; onDone: Done }) {
  const [text, setText] = useState(before);
  const asked = useAsk(onDone, (body: { instructions: string }, header) =>
    answered(api.POST("/v1/sessions/{session}/instructions", { params: { path: { session }, header }, body })),
  );
  const changed = text.trim() !== "" && text !== before;
  return (
    <Form word="Change them" ready={changed && !asked.isPending} onSubmit={() => asked.mutate({ instructions: text })}>
      <TextArea
        label="Instructions"
        hint="They count from the next answer on, for this call only."
        error={asked.error?.message}
        rows={10}
        maxLength={20_000}
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </Form>
  );
}

export function EndForm({ session, onCancel, onDone }: { session: string; onCancel: () => void; onDone: Done }) {
  const asked = useAsk(onDone, (body: { reason: string }, header) =>
    answered(api.POST("/v1/sessions/{session}/end", { params: { path: { session }, header }, body })),
  );
  return (
    <div className="flex flex-col gap-4">
      <p className="text-sm">The caller is hung up on, wherever the conversation stands. It can’t be undone.</p>
      {asked.error ? (
        <p role="alert" className="text-sm text-bad">
          {asked.error.message}
        </p>
      ) : null}
      <div className="flex justify-end gap-2">
        <Button autoFocus onClick={onCancel}>
          Keep it going
        </Button>
        <Button tone="danger" disabled={asked.isPending} onClick={() => asked.mutate({ reason: "" })}>
          End the call
        </Button>
      </div>
    </div>
  );
}
