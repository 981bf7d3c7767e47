import clsx from "clsx";
import type { ButtonHTMLAttributes, ReactNode } from "react";

export type Tone = "plain" | "primary" | "danger" | "quiet";

const TONES: Record<Tone, string> = {
  plain: "border border-line bg-surface text-ink hover:border-strong-line",
  primary: "border border-transparent bg-accent text-accent-ink hover:brightness-110",
  danger: "border border-transparent bg-bad text-paper hover:brightness-110",
  quiet: "border border-transparent text-muted hover:bg-raised hover:text-ink",
};

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: Tone;
  size?: "small" | "normal" | "large";
  icon?: ReactNode;
}

/** Words, with an icon before them where `icon` is given. */
export function Button({
  tone = "plain",
  size = "normal",
  icon,
  className,
  children,
  type = "button",
  ...rest
}: Props) {
  return (
    <button
      type={type}
      className={clsx(
        "inline-flex items-center justify-center gap-2 rounded-md font-medium transition disabled:opacity-50",
        size === "small" && "h-8 px-3 text-sm",
        size === "normal" && "h-10 px-4 text-sm",
        size === "large" && "h-14 px-7 text-lg",
        TONES[tone],
        className,
      )}
      {...rest}
    >
      {icon}
      {children}
    </button>
  );
}

interface IconProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** What it does: read aloud, and shown as its tooltip. */
  label: string;
  tone?: Tone;
  size?: "small" | "normal" | "large";
  pressed?: boolean;
}

/** One icon. `pressed`: for a switch, whether it is on. */
export function IconButton({
  label,
  tone = "quiet",
  size = "normal",
  pressed,
  className,
  children,
  ...rest
}: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      className={clsx(
        "inline-flex shrink-0 items-center justify-center rounded-full transition disabled:opacity-50",
        size === "small" && "size-8",
        size === "normal" && "size-10",
        size === "large" && "size-12",
        TONES[tone],
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}
