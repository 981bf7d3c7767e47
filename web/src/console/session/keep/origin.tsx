import { GitFork } from "lucide-react";
import { Link } from "wouter";
import { callAt, comparison } from "@/console/replay/links";
import type { SessionView } from "@/console/session/model/shapes";

/** What a fork was made of, and in what it is other. */
export function Origin({ session, from }: { session: string; from: NonNullable<SessionView["forked_from"]> }) {
  const changed = Object.keys(from.changed ?? {});
  return (
    <p className="mx-4 mb-2 flex flex-wrap items-center gap-x-2 gap-y-1 rounded-sm bg-raised px-3 py-2 text-sm md:mx-8">
      <span className="min-w-0">
        <GitFork aria-hidden className="mr-2 inline size-4 align-[-0.15em] text-muted" />A fork of{" "}
        <Link href={callAt(from.session)} className="font-medium break-all text-accent hover:underline">
          {from.session}
        </Link>
        {from.turn ? `, from turn ${from.turn} on` : ""}
        {changed.length ? (
          <span className="text-muted">, with other {changed.slice(0, 4).map(inWords).join(", ")}</span>
        ) : null}
        {changed.length > 4 ? <span className="text-muted"> and {changed.length - 4} more</span> : null}
      </span>
      <Link href={comparison(from.session, session)} className="ml-auto font-medium text-accent hover:underline">
        Compare
      </Link>
    </p>
  );
}

function inWords(path: string): string {
  return path.replace(/^turn_taking\./, "").replaceAll("_", " ");
}
