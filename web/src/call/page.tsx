import { useCurrent } from "@/call/current";
import { InCall } from "@/call/ui/in-call";
import { Start } from "@/call/ui/start";

/** The call, at the start of everything. */
export default function CallPage() {
  const call = useCurrent();
  return call === null ? <Start /> : <InCall call={call} />;
}
