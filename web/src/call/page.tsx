import { useAsked, viewOf } from "@/call/asked";
import { useCurrent, useOver } from "@/call/current";
import { InCall } from "@/call/ui/in-call";
import { Start } from "@/call/ui/start";
import { StillOn } from "@/call/ui/still-on";
import { useLeft, Waiting } from "@/call/ui/waiting";
import { useHeadingOf } from "@/ui/heading";

/** The call, at the start of everything. */
export default function CallPage() {
  const call = useCurrent();
  const over = useOver(call);
  const asked = useAsked();
  const [left, forget] = useLeft();
  const view = viewOf(asked, call && { since: call.since, over }, left !== null);
  useHeadingOf(view);
  if (call !== null && view === "call") return <InCall call={call} />;
  if (call !== null && view === "still on") return <StillOn call={call} agent={asked.agent} />;
  if (left !== null && view === "waiting") return <Waiting left={left} onOther={forget} />;
  return <Start key={asked.at} />;
}
