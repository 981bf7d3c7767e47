import type { Wish } from "@/console/replay/draft";
import { count } from "@/format";

/** What is changed, and what has to be done for it. */
export function Told({ wish }: { wish: Wish }) {
  const { told, works } = wish;
  if (told.length === 0)
    return <p className="text-sm text-muted">Nothing is changed yet. Only what you change is other than it was.</p>;
  return (
    <div className="flex flex-col gap-1.5 text-sm">
      <p className="text-muted">
        {count(told.length, "change")}.{" "}
        {works
          ? "What depends on them is made anew by the workers; the rest stays as recorded."
          : "Turn-taking is decided again, which takes a moment; words and sounds stay as recorded."}
      </p>
      <ul aria-label="Changes" className="flex flex-wrap gap-1.5">
        {told.map(({ name, before, after }) => (
          <li key={name} className="rounded-sm bg-accent-wash px-2 py-0.5 text-xs text-accent tabular-nums">
            {name} {before ? `${before} → ` : ""}
            {after}
          </li>
        ))}
      </ul>
    </div>
  );
}
