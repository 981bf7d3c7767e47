import type { Snapshot } from "@/call/call";
import { stateInWords } from "@/call/ui/status";

/** For screen readers, what can't be heard: the connection, what is missing, why there is no microphone, and, where there is none and
 * so perhaps no listening, whole answers. Words that sound are not read a second time. */
export function Announcer({ snapshot }: { snapshot: Snapshot }) {
  const { call, mine, missing } = snapshot;
  const connection = call.link.phase === "connected" ? "Connected" : stateInWords(snapshot);
  const reads = mine.microphone === "off" || mine.microphone === "refused";
  const last = call.transcript.lines.findLast((line) => line.kind === "agent" && line.over !== null);
  const answer = reads && last?.kind === "agent" ? last.over?.heard : "";
  return (
    <div className="sr-only">
      <p role="status">{missing ?? call.trouble ?? ""}</p>
      <p role="status">{mine.problem}</p>
      <p role="status">{connection}</p>
      <p role="status">{answer}</p>
    </div>
  );
}
