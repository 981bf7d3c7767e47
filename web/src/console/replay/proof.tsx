import type { Removed } from "@/console/replay/jobs";
import { count } from "@/format";

/** What a deletion leaves: that it was, and not whose. */
export function Proof({ removed }: { removed: Removed }) {
  const { proof, open } = removed;
  return (
    <div className="flex flex-col gap-2 text-sm">
      {proof ? (
        <>
          <p>
            {count(proof.sessions, "call")} {proof.sessions === 1 ? "is" : "are"} deleted for good: out of the log, the
            archive and their sound.
          </p>
          <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1 rounded-md bg-raised px-3 py-2 text-xs">
            <dt className="text-muted">Proof</dt>
            <dd className="font-mono">{proof.id}</dd>
            {proof.removed.slice(0, 5).map((one) => (
              <div key={one.session} className="contents">
                <dt className="text-muted">SHA-256 of its id</dt>
                <dd className="font-mono break-all">{one.session}</dd>
              </div>
            ))}
          </dl>
          {proof.sessions > 5 ? <p className="text-xs text-muted">and {proof.sessions - 5} more</p> : null}
        </>
      ) : (
        <p>There was nothing to be deleted.</p>
      )}
      {open.length ? (
        <p className="text-warn">
          {count(open.length, "call")} {open.length === 1 ? "goes" : "go"} on and stayed: ask again once they are over.
        </p>
      ) : null}
    </div>
  );
}
