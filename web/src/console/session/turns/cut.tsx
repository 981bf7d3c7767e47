import { cutBy, cutOf } from "@/console/session/model/heard";
import type { Turn } from "@/console/session/model/shapes";

/** Of a reply that was cut: what had been heard of it, what had not, and what the caller said over it. */
export function Cut({ turn, all }: { turn: Turn; all: readonly Turn[] }) {
  const cut = cutOf(turn);
  if (cut === null) return null;
  const by = cutBy(turn, all);
  return (
    <dl className="grid gap-x-3 gap-y-1 rounded-sm bg-warn-wash px-3 py-2 text-sm sm:grid-cols-[auto_minmax(0,1fr)]">
      <dt className="font-medium">The caller heard</dt>
      <dd className="break-words">{cut.heard ? `“${cut.heard}”` : "nothing of it"}</dd>
      <dt className="font-medium">Never heard</dt>
      <dd className="break-words text-muted">{cut.unheard ? `“${cut.unheard}”` : "nothing: no more of it was made"}</dd>
      {by ? (
        <>
          <dt className="font-medium">The caller cut in</dt>
          <dd className="break-words">“{by}”</dd>
        </>
      ) : null}
    </dl>
  );
}
