import clsx from "clsx";
import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from "react";
import { useId } from "react";

const BOX =
  "w-full rounded-md border border-strong-line bg-surface px-3 text-ink placeholder:text-faint disabled:opacity-60 aria-invalid:border-bad";

interface Shared {
  label: string;
  /** A sentence below; `error` takes its place. */
  hint?: ReactNode;
  error?: string | undefined;
  /** For the eye the label is plain from what stands around; it is still read aloud. */
  hideLabel?: boolean;
}

function Labelled({ id, label, hint, error, hideLabel, children }: Shared & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className={hideLabel ? "sr-only" : "text-sm font-medium"}>
        {label}
      </label>
      {children}
      {error || hint ? (
        <p
          id={`${id}-note`}
          role={error ? "alert" : undefined}
          className={clsx("text-xs", error ? "text-bad" : "text-muted")}
        >
          {error || hint}
        </p>
      ) : null}
    </div>
  );
}

function described(id: string, { hint, error }: Shared) {
  return { id, "aria-invalid": error ? true : undefined, "aria-describedby": hint || error ? `${id}-note` : undefined };
}

export function TextField({
  label,
  hint,
  error,
  hideLabel,
  className,
  ...rest
}: Shared & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  const shared = { label, hint, error, hideLabel } as Shared;
  return (
    <Labelled id={id} {...shared}>
      <input {...described(id, shared)} className={clsx(BOX, "h-10 text-sm", className)} {...rest} />
    </Labelled>
  );
}

export function TextArea({
  label,
  hint,
  error,
  hideLabel,
  className,
  ...rest
}: Shared & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  const shared = { label, hint, error, hideLabel } as Shared;
  return (
    <Labelled id={id} {...shared}>
      <textarea {...described(id, shared)} className={clsx(BOX, "py-2 text-sm", className)} {...rest} />
    </Labelled>
  );
}

export function Select({
  label,
  hint,
  error,
  hideLabel,
  className,
  children,
  ...rest
}: Shared & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  const shared = { label, hint, error, hideLabel } as Shared;
  return (
    <Labelled id={id} {...shared}>
      <select {...described(id, shared)} className={clsx(BOX, "h-10 text-sm", className)} {...rest}>
        {children}
      </select>
    </Labelled>
  );
}
