import { RotateCcw } from "lucide-react";
import { Link } from "wouter";
import type { Call, Snapshot } from "@/call/call";
import { setCurrent } from "@/call/current";
import { Button } from "@/ui/button";

/** The end: why, another call, and the whole of this one. */
export function Ended({ call, snapshot, mayOpen }: { call: Call; snapshot: Snapshot; mayOpen: boolean }) {
  const { link, session } = snapshot.call;
  if (link.phase !== "over") return null;
  return (
    <div className="flex min-h-0 flex-1 flex-col items-center justify-center gap-3 overflow-y-auto p-6 text-center">
      <p role={link.failed ? "alert" : "status"} className="max-w-prose text-base font-medium">
        {link.why}
      </p>
      <div className="flex flex-wrap items-center justify-center gap-3">
        <Button tone="primary" icon={<RotateCcw aria-hidden className="size-4" />} onClick={() => setCurrent(null)}>
          {session === "" ? "Try again" : call.transport.kind === "livekit" ? "Join again" : "Talk again"}
        </Button>
        {session && mayOpen ? (
          <Link
            href={`/sessions/${encodeURIComponent(session)}`}
            className="inline-flex h-10 items-center rounded-md border border-line bg-surface px-4 text-sm font-medium hover:border-strong-line"
          >
            Open the whole call
          </Link>
        ) : null}
      </div>
    </div>
  );
}
