import { useCurrent } from "@/call/current";
import { InCall } from "@/call/ui/in-call";
import { Start } from "@/call/ui/start";
import { useLeft, Waiting } from "@/call/ui/waiting";
import { useHeadingOf } from "@/ui/heading";

/** The call, at the start of everything. */
export default function CallPage() {
  const call = useCurrent();
  const [left, forget] = useLeft();
  useHeadingOf(call !== null ? "call" : left === null ? "start" : "waiting");
  if (call !== null) return <InCall call={call} />;
  return left === null ? <Start /> : <Waiting left={left} onOther={forget} />;
}
