import clsx from "clsx";
import { type RefObject, useMemo } from "react";

const LETTERS = "px-3 pl-12 font-mono text-sm whitespace-pre-wrap break-words [tab-size:4]";

/** Text with numbered lines, as high as it is; `problems` by line. Below the text the same lines lie once more, unseen: a line that
 * is wrapped has its number, and its problem, where it begins. */
export function CodeArea({
  label,
  text,
  problems,
  readOnly,
  area,
  describedBy,
  onChange,
}: {
  label: string;
  text: string;
  problems: ReadonlyMap<number, string>;
  readOnly: boolean;
  area: RefObject<HTMLTextAreaElement | null>;
  describedBy?: string;
  onChange: (text: string) => void;
}) {
  const lines = useMemo(() => text.split("\n"), [text]);
  const wrong = problems.size > 0;
  return (
    <div
      className={clsx(
        "relative min-w-0 rounded-md border bg-surface py-2 focus-within:outline-2 focus-within:outline-accent",
        wrong ? "border-bad" : "border-strong-line",
      )}
    >
      <div aria-hidden className="min-h-60">
        {lines.map((line, index) => {
          const problem = problems.get(index + 1);
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <div key={index} className={clsx("relative", LETTERS, problem && "bg-bad-wash")}>
              <span
                className={clsx(
                  "absolute left-0 w-9 text-right text-xs leading-5 tabular-nums select-none",
                  problem ? "font-semibold text-bad" : "text-faint",
                )}
              >
                {index + 1}
              </span>
              <span className="invisible">{line || "\u200b"}</span>
              {problem ? (
                <span
                  title={problem}
                  className="absolute top-0 left-full z-10 ml-3 hidden w-72 truncate font-sans text-xs leading-5 text-bad @5xl:block"
                >
                  {problem}
                </span>
              ) : null}
            </div>
          );
        })}
      </div>
      <textarea
        ref={area}
        aria-label={label}
        aria-invalid={wrong}
        aria-describedby={describedBy}
        readOnly={readOnly}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        value={text}
        onChange={(event) => onChange(event.target.value)}
        className={clsx(
          "absolute inset-0 size-full resize-none overflow-hidden bg-transparent py-2 outline-none",
          LETTERS,
        )}
      />
    </div>
  );
}
