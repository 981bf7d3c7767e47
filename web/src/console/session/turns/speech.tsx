import clsx from "clsx";
import { Fragment, type MouseEvent } from "react";
import { clockTime } from "@/console/session/model/clock-time";
import { unvoiced } from "@/console/session/model/heard";
import type { Word } from "@/console/session/model/shapes";
import { soundingAt } from "@/console/session/model/words";
import { type Clock, useClock } from "@/console/session/player/clock";

interface Props {
  clock: Clock;
  who: string;
  whose: "caller" | "agent";
  start_s: number | null;
  end_s: number | null;
  text: string;
  words: readonly Word[];
  /** It was not heard, or only so far as its words say. */
  cut?: boolean;
}

const CUT = "text-faint line-through decoration-1";

/** What one side said at a stretch. A word lights up as it sounds; clicked, the sound goes there. */
export function Speech({ clock, who, whose, start_s, end_s, text, words, cut = false }: Props) {
  const lit = useClock(clock, ({ seconds }) => soundingAt(words, seconds));
  const sounds = useClock(
    clock,
    ({ seconds }) => start_s !== null && seconds >= start_s && seconds < (end_s ?? start_s) + 0.05,
  );
  const silent = cut && words.length > 0 ? unvoiced(text, words) : "";
  const go = (event: MouseEvent) => {
    const place = (event.target as HTMLElement).closest<HTMLElement>("[data-word]")?.dataset.word;
    const word = words[Number(place ?? -1)];
    if (word?.start_s != null) clock.seek(word.start_s);
  };
  return (
    <div className="grid grid-cols-[3.5rem_minmax(0,1fr)] gap-x-2 py-1">
      {start_s === null ? (
        <span className="pt-0.5 text-xs text-muted">–</span>
      ) : (
        <button
          type="button"
          title="Go there"
          aria-label={`${who} at ${clockTime(start_s)}. Go there`}
          onClick={() => clock.seek(start_s)}
          className="self-start rounded-sm pt-0.5 text-left text-xs text-muted tabular-nums hover:text-ink hover:underline"
        >
          {clockTime(start_s)}
        </button>
      )}
      <div className="min-w-0">
        <span className={clsx("mr-2 text-xs font-semibold", whose === "agent" ? "text-agent" : "text-caller")}>
          {who}
        </span>
        {/* biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: the time beside it does it by keyboard, the arrows to the second */}
        <span
          onClick={go}
          className={clsx("break-words", words.length === 0 && (cut ? CUT : sounds && "bg-accent-wash"))}
        >
          {words.length === 0
            ? text
            : words.map((word, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a word is its place
                <Fragment key={index}>
                  <span
                    data-word={index}
                    data-lit={index === lit || undefined}
                    className={clsx(
                      "rounded-sm",
                      word.start_s !== null && "cursor-pointer hover:underline",
                      index === lit && "bg-accent text-accent-ink",
                      cut && !word.heard && CUT,
                    )}
                  >
                    {word.word}
                  </span>{" "}
                </Fragment>
              ))}
          {silent ? <span className={CUT}>{silent}</span> : null}
        </span>
      </div>
    </div>
  );
}
