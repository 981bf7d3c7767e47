import clsx from "clsx";
import type { ReactNode } from "react";

const SIZES = {
  large: "text-2xl font-semibold tracking-tight",
  middle: "text-xl font-semibold tracking-tight",
  small: "text-sm",
};

/** A number and what it counts; a small one stands beside its name. */
export function Figure({ name, of, size = "middle" }: { name: string; of: ReactNode; size?: keyof typeof SIZES }) {
  return (
    <p className={clsx("flex", size === "small" ? "items-baseline justify-between gap-2" : "flex-col")}>
      <span className="text-xs text-muted">{name}</span>
      <span className={clsx("tabular-nums", SIZES[size])}>{of}</span>
    </p>
  );
}
