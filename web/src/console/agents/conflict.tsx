import type { Action, Editing } from "@/console/agents/editing";
import { Button } from "@/ui/button";

/** Somebody else has changed the file: whose text counts? */
export function Conflict({
  conflict,
  onChoose,
}: {
  conflict: Editing["conflict"];
  onChoose: (action: Action) => void;
}) {
  if (conflict === null) return null;
  const gone = conflict === "gone";
  return (
    <section role="alert" className="flex flex-col gap-3 rounded-md border border-warn bg-warn-wash p-4 text-sm">
      <p className="text-warn">
        {gone
          ? "This file was deleted since you began. What you wrote is still here, and not saved."
          : "This file was changed on disk since you began. What you wrote is still here, and not saved."}
      </p>
      {gone ? null : (
        <details>
          <summary className="font-medium">What stands there now</summary>
          <pre className="mt-2 max-h-72 overflow-auto rounded-sm bg-surface p-3 font-mono text-xs whitespace-pre-wrap">
            {conflict.toml}
          </pre>
        </details>
      )}
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => onChoose({ type: "mine" })}>
          {gone ? "Go on, and make it anew" : "Go on with mine"}
        </Button>
        {gone ? null : (
          <Button tone="quiet" onClick={() => onChoose({ type: "theirs" })}>
            Drop mine, take theirs
          </Button>
        )}
      </div>
    </section>
  );
}
