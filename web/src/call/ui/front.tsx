import type { ReactNode } from "react";

/** A page with one thing to do. `problem`: why it did not work, "" nothing; `below`: what need not be looked at. */
export function Front({
  title,
  lead,
  problem,
  below,
  children,
}: {
  title: string;
  lead: string;
  problem: string;
  below?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div
      data-fills
      className="mx-auto flex w-full max-w-xl flex-1 flex-col items-center justify-center gap-8 px-4 py-10"
    >
      <div className="text-center">
        <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
        <p className="mt-2 text-base text-muted">{lead}</p>
      </div>
      <div className="flex flex-col items-center gap-3">
        {children}
        {problem ? (
          <p role="alert" className="max-w-prose text-center text-sm text-bad">
            {problem}
          </p>
        ) : null}
      </div>
      {below}
    </div>
  );
}
