import clsx from "clsx";
import type { HTMLAttributes, ReactNode } from "react";

/** A plain area of its own, with a heading where it has one. */
export function Card({
  title,
  aside,
  className,
  children,
  ...rest
}: { title?: ReactNode; aside?: ReactNode } & Omit<HTMLAttributes<HTMLElement>, "title">) {
  return (
    <section className={clsx("rounded-md border border-line bg-surface", className)} {...rest}>
      {title ? (
        <header className="flex min-h-12 items-center justify-between gap-3 border-b border-line px-4">
          <h2 className="text-sm font-semibold">{title}</h2>
          {aside}
        </header>
      ) : null}
      {children}
    </section>
  );
}

export type Mood = "neutral" | "accent" | "good" | "warn" | "bad";

const MOODS: Record<Mood, string> = {
  neutral: "bg-raised text-muted",
  accent: "bg-accent-wash text-accent",
  good: "bg-raised text-good",
  warn: "bg-warn-wash text-warn",
  bad: "bg-bad-wash text-bad",
};

/** A word or a figure about what stands beside it. */
export function Chip({ mood = "neutral", title, children }: { mood?: Mood; title?: string; children: ReactNode }) {
  return (
    <span
      title={title}
      className={clsx(
        "inline-flex h-6 max-w-full items-center gap-1 rounded-full px-2 text-xs font-medium tabular-nums",
        MOODS[mood],
      )}
    >
      <span className="min-w-0 truncate">{children}</span>
    </span>
  );
}
