import clsx from "clsx";
import { FileText, Keyboard } from "lucide-react";
import { useEffect, useState } from "react";
import { flushSync } from "react-dom";
import { type Reading, readingOf } from "@/call/model/reading";
import type { AgentLine, FileLine, PersonLine } from "@/call/model/transcript";
import type { Voice } from "@/call/transport/transport";

function Speaker({ name, tone }: { name: string; tone: "text-caller" | "text-agent" }) {
  return <p className={clsx("truncate text-xs font-semibold", tone)}>{name}</p>;
}

export function PersonWords({ line, name }: { line: PersonLine; name: string }) {
  return (
    <>
      <Speaker name={name} tone="text-caller" />
      <p className={clsx("whitespace-pre-wrap break-words", line.final ? "text-ink" : "text-faint italic")}>
        {line.typed ? <Keyboard aria-label="Typed" className="mr-1.5 inline size-3.5 text-faint" /> : null}
        {line.text}
        {line.final ? null : <span className="sr-only"> (still speaking)</span>}
      </p>
    </>
  );
}

/** The reply as it stands now; while it sounds, it follows the sound. */
function useReading(line: AgentLine, voice: Voice): Reading {
  const [, setSaid] = useState(0);
  const going = line.over === null;
  useEffect(() => {
    if (!going) return;
    let frame = 0;
    let shown = -1;
    const look = () => {
      const { length } = readingOf(line, voice.position()).said;
      if (length !== shown) flushSync(() => setSaid(length)); // in this very frame
      shown = length;
      frame = requestAnimationFrame(look);
    };
    frame = requestAnimationFrame(look);
    return () => cancelAnimationFrame(frame);
  }, [line, voice, going]);
  return readingOf(line, voice.position());
}

/** A reply: said words in ink, those to come faint, and where speech was cut, so is the text. */
export function AgentWords({ line, voice }: { line: AgentLine; voice: Voice }) {
  const { said, coming, cut, note } = useReading(line, voice);
  return (
    <>
      <Speaker name="Agent" tone="text-agent" />
      <p className="whitespace-pre-wrap break-words">
        <span data-said className="text-ink">
          {said}
        </span>
        {coming ? (
          <span data-coming className="text-faint">
            {said ? " " : ""}
            {coming}
          </span>
        ) : null}
        {cut ? (
          <span className="ml-1.5 rounded-sm bg-raised px-1.5 py-0.5 text-xs text-muted">
            {said ? "cut off here" : "cut off before a word was heard"}
          </span>
        ) : null}
      </p>
      {note ? <p className="text-sm text-warn">{note}</p> : null}
    </>
  );
}

export function SharedFile({ line, name }: { line: FileLine; name: string }) {
  const kilobytes = Math.max(1, Math.round(line.size / 1000));
  return (
    <>
      <Speaker name={name} tone="text-caller" />
      <a
        href={line.url}
        download={line.name}
        className="mt-1 inline-flex max-w-full items-center gap-2 rounded-md border border-line bg-surface px-3 py-2 text-sm hover:border-strong-line"
      >
        <FileText aria-hidden className="size-4 shrink-0 text-muted" />
        <span className="truncate font-medium">{line.name}</span>
        <span className="shrink-0 text-xs text-muted tabular-nums">{kilobytes} kB</span>
      </a>
    </>
  );
}
