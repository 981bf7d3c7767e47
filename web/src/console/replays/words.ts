import type { Job } from "@/console/replay/jobs";
import { settingsNamed } from "@/console/shared/settings-named";
import { count } from "@/format";

const KINDS: Record<Job["kind"], string> = {
  fork: "Fork",
  batch: "Batch",
  import: "Import",
  removal: "Deletion",
  erasure: "Erasure of a person",
};

export function kindOf(job: Job): string {
  return KINDS[job.kind];
}

interface About {
  session?: string;
  from_turn?: number | null;
  changed?: Record<string, unknown>;
  set?: Record<string, unknown>;
  agent_name?: string;
  name?: string;
  sessions?: string[];
  most?: number;
}

/** What it is about, in a line. */
export function aboutOf(job: Job): string {
  const about = job.about as About;
  switch (job.kind) {
    case "fork":
      return [about.session, about.from_turn ? `from turn ${about.from_turn}` : "", changes(about)]
        .filter(Boolean)
        .join(" · ");
    case "batch":
      return [`up to ${count(about.most ?? 0, "call")}`, changes(about)].filter(Boolean).join(" · ");
    case "import":
      return about.name ?? "";
    case "removal":
      return (about.sessions ?? []).join(", ");
    default:
      return "All calls of one person; of whom is not kept";
  }
}

function changes(about: About): string {
  const agent = about.agent_name ? `agent ${about.agent_name}` : "";
  return [agent, settingsNamed(about.changed ?? about.set ?? {}, 3)].filter(Boolean).join(", ");
}

/** What came of it, in a line. */
export function outcomeOf(job: Job): string {
  if (job.state === "waiting") return job.served ? "waits" : "waits: no jobs worker is running";
  if (job.state === "running") return job.of > 0 ? `${job.done} of ${job.of}` : job.doing || "under way";
  if (job.state === "failed") return job.error;
  return job.state;
}
