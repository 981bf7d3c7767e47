import type { Call } from "@/call/call";
import type { AgentState } from "@/call/model/events";
import { Ring } from "@/call/ui/ring";

export interface AgentView {
  /** `call.transport.voice` has the sound and its clock, `call.onEvent` the timings, hushes and states. */
  call: Call;
  state: AgentState;
  small?: boolean;
}

/** Where the agent is seen. */
export function AgentSlot({ call, state, small }: AgentView) {
  return <Ring voice={call.transport.voice} state={state} {...(small ? { small } : {})} />;
}
