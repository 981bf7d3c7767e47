import { Megaphone, MessageSquareText, PhoneOff, ScrollText } from "lucide-react";
import { useState } from "react";
import type { Receipt } from "@/console/session/model/shapes";
import { EndForm, InstructionsForm, MessageForm, SayForm, type Sender } from "@/console/session/operator/forms";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";

const ACTS = {
  say: { title: "Have the agent say something", word: "Say", icon: Megaphone },
  message: { title: "Send text to the agent", word: "Send text", icon: MessageSquareText },
  instructions: { title: "Change the agent’s instructions", word: "Instructions", icon: ScrollText },
  end: { title: "End this call", word: "End", icon: PhoneOff },
} as const;

type Act = keyof typeof ACTS;

interface Props {
  session: string;
  senders: Sender[];
  onReceipt: (words: string, seq: number) => void;
}

/** What an operator can ask of a live session. Each is an event of its log, which the gateway obeys. */
export function Actions({ session, senders, onReceipt }: Props) {
  const [open, setOpen] = useState<Act | null>(null);
  const close = () => setOpen(null);
  const done = (words: string) => (receipt: Receipt) => {
    close();
    onReceipt(words, receipt.seq);
  };
  return (
    <>
      {(Object.keys(ACTS) as Act[]).map((act) => {
        const { word, icon: Icon } = ACTS[act];
        return (
          <Button key={act} size="small" icon={<Icon aria-hidden className="size-4" />} onClick={() => setOpen(act)}>
            {word}
          </Button>
        );
      })}
      <Dialog open={open !== null} title={open === null ? "" : ACTS[open].title} onClose={close}>
        {open === "say" ? <SayForm session={session} onDone={done("The agent was asked to say it")} /> : null}
        {open === "message" ? (
          <MessageForm session={session} senders={senders} onDone={done("The message was sent")} />
        ) : null}
        {open === "instructions" ? (
          <InstructionsForm session={session} onDone={done("The instructions were changed")} />
        ) : null}
        {open === "end" ? <EndForm session={session} onCancel={close} onDone={done("The end was asked for")} /> : null}
      </Dialog>
    </>
  );
}
