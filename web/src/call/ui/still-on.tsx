import { PhoneOff } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import type { Call } from "@/call/call";
import { Front } from "@/call/ui/front";
import { Button } from "@/ui/button";

/** Somebody asks for an agent, and is in a call: one after the other. */
export function StillOn({ call, agent }: { call: Call; agent: string }) {
  const [busy, setBusy] = useState(false);
  const leave = () => {
    setBusy(true);
    void call.leave();
  };
  return (
    <Front title="You are still in a call" lead={stillOn(call.wish.agent, agent)} problem="">
      <Button
        tone="danger"
        size="large"
        disabled={busy}
        onClick={leave}
        icon={<PhoneOff aria-hidden className="size-5" />}
        className="min-w-52 rounded-full!"
      >
        {busy ? "Leaving" : "Leave the call"}
      </Button>
      <Link href="/" className="px-4 py-2 text-sm font-medium text-muted hover:text-ink">
        Return to the call
      </Link>
    </Front>
  );
}

/** Why the agent that is `wanted` is not there yet. `running`: the agent of the call, "" the default one. */
export function stillOn(running: string, wanted: string): string {
  const next = wanted.startsWith("draft-") ? "The draft can be tried" : `You can talk to ${wanted}`;
  return `The call with ${running || "the agent"} is still on. ${next} after leaving it.`;
}
