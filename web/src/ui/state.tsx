import clsx from "clsx";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/ui/button";

/** Nothing is there: what would be, and what to do to have it. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-16 text-center">
      <p className="text-base font-medium">{title}</p>
      {children ? <p className="max-w-prose text-sm text-muted">{children}</p> : null}
      {action ? (
        <div className="mt-3 text-sm [&_a]:font-medium [&_a]:text-accent [&_a]:hover:underline">{action}</div>
      ) : null}
    </div>
  );
}

/** It did not work: why, in a sentence, and a way to try again. */
export function Failed({ title, children, retry }: { title: string; children?: ReactNode; retry?: () => void }) {
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-6 py-16 text-center">
      <CircleAlert aria-hidden className="size-6 text-bad" />
      <p className="text-base font-medium">{title}</p>
      {children ? <p className="max-w-prose text-sm text-muted">{children}</p> : null}
      {retry ? (
        <Button className="mt-3" onClick={retry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

/** Something comes: lines where it will stand. */
export function Loading({ lines = 4, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className="flex flex-col gap-3 p-6">
      {Array.from({ length: lines }, (_, line) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: lines are alike
          key={line}
          className={clsx("h-4 animate-pulse rounded-sm bg-raised", line % 3 === 2 ? "w-1/2" : "w-full")}
        />
      ))}
    </div>
  );
}
