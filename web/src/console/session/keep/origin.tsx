import { GitFork } from "lucide-react";
import { Link } from "wouter";
import { callAt, comparison } from "@/console/replay/links";
import type { SessionView } from "@/console/session/model/shapes";
import { settingsNamed } from "@/console/shared/settings-named";

/** What a fork was made of, and in what it is other. */
export function Origin({ session, from }: { session: string; from: NonNullable<SessionView["forked_from"]> }) {
  return (
    <p className="mx-4 mb-2 flex flex-wrap items-center gap-x-2 gap-y-1 rounded-sm bg-raised px-3 py-2 text-sm md:mx-8">
      <span className="min-w-0">
        <GitFork aria-hidden className="mr-2 inline size-4 align-[-0.15em] text-muted" />A fork of{" "}
        <Link href={callAt(from.session)} className="font-medium break-all text-accent hover:underline">
          {from.session}
        </Link>
        <span className="text-muted">{otherwise(from.turn, from.changed)}</span>
      </span>
      <Link href={comparison(from.session, session)} className="ml-auto font-medium text-accent hover:underline">
        Compare
      </Link>
    </p>
  );
}

/** ", from turn 3 on, changed: instructions, barge in and 2 more". */
export function otherwise(turn: number | null | undefined, changed: Record<string, unknown> | undefined): string {
  const names = settingsNamed(changed ?? {}, 4);
  return [turn ? `, from turn ${turn} on` : "", names ? `, changed: ${names}` : ""].join("");
}
