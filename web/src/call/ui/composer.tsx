import { Paperclip, SendHorizontal } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import type { Call } from "@/call/call";
import { IconButton } from "@/ui/button";

const LONGEST = 4000;

/** Typed words, which the agent answers like spoken ones, and files for the people in the room. */
export function Composer({ call, focus }: { call: Call; focus: boolean }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const file = useRef<HTMLInputElement>(null);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const typed = text.trim();
    if (!typed) return;
    setText("");
    setProblem("");
    try {
      await call.say(typed);
    } catch (error) {
      setText((meanwhile) => meanwhile || typed);
      setProblem(error instanceof Error ? error.message : "It could not be sent.");
    }
  };
  return (
    <form onSubmit={send} className="border-t border-line p-3">
      <div className="flex items-center gap-1 rounded-md border border-strong-line bg-surface pr-1 pl-3 focus-within:outline-2 focus-within:outline-accent">
        <input
          // biome-ignore lint/a11y/noAutofocus: a call that is typed begins with typing
          autoFocus={focus}
          aria-label="Type to the agent"
          placeholder="Type instead of speaking"
          value={text}
          maxLength={LONGEST}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
          className="h-11 min-w-0 flex-1 bg-transparent text-sm outline-none placeholder:text-faint"
        />
        {call.transport.share === null ? null : (
          <>
            <input
              ref={file}
              type="file"
              className="hidden"
              aria-hidden
              tabIndex={-1}
              onChange={(event) => {
                const chosen = event.target.files?.[0];
                if (chosen !== undefined) void call.share(chosen);
                event.target.value = "";
              }}
            />
            <IconButton
              label="Share a file with the people in the room"
              size="small"
              onClick={() => file.current?.click()}
            >
              <Paperclip aria-hidden className="size-4" />
            </IconButton>
          </>
        )}
        <IconButton label="Send" size="small" type="submit" disabled={text.trim() === ""} className="text-accent">
          <SendHorizontal aria-hidden className="size-4" />
        </IconButton>
      </div>
      {problem ? (
        <p role="alert" className="mt-1 text-xs text-bad">
          {problem}
        </p>
      ) : null}
    </form>
  );
}
