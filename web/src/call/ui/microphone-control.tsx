import clsx from "clsx";
import { Mic, MicOff } from "lucide-react";
import { useEffect } from "react";
import type { Call, Snapshot } from "@/call/call";
import { Meter } from "@/call/ui/meter";

/** Mute, with how loud one is; or the button of push-to-talk. */
export function MicrophoneControl({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { mine } = snapshot;
  useSpaceToTalk(call, mine.pushToTalk);
  if (mine.pushToTalk) {
    return (
      <button
        type="button"
        aria-pressed={mine.pressed}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          call.press(true);
        }}
        onPointerUp={() => call.press(false)}
        onPointerCancel={() => call.press(false)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.repeat) call.press(true);
        }}
        onKeyUp={(event) => {
          if (event.key === "Enter") call.press(false);
        }}
        onBlur={() => call.press(false)}
        onContextMenu={(event) => event.preventDefault()}
        className={clsx(
          "flex h-10 touch-none sm:h-12 select-none items-center gap-2 rounded-full px-5 text-sm font-medium transition",
          mine.pressed ? "bg-accent text-accent-ink" : "border border-strong-line bg-surface text-ink",
        )}
      >
        <Mic aria-hidden className="size-4" />
        {mine.pressed ? (
          "Release to send"
        ) : (
          <>
            Hold to talk<span className="hidden sm:inline">, or space</span>
          </>
        )}
      </button>
    );
  }
  const Icon = mine.muted ? MicOff : Mic;
  return (
    <button
      type="button"
      aria-pressed={mine.muted}
      aria-label="Mute"
      title={mine.muted ? "Unmute" : "Mute"}
      onClick={() => call.setMuted(!mine.muted)}
      className={clsx(
        "flex h-10 items-center gap-1.5 rounded-full border px-2.5 text-sm font-medium transition sm:h-12 sm:gap-3 sm:px-5",
        mine.muted ? "border-bad bg-bad-wash text-bad" : "border-line bg-surface text-ink hover:border-strong-line",
      )}
    >
      <Icon aria-hidden className="size-4" />
      {mine.muted ? (
        <span className="w-5 sm:w-14">
          <span className="max-sm:sr-only">Muted</span>
        </span>
      ) : (
        <Meter level={levelOf(call)} className="w-5 sm:w-14" />
      )}
    </button>
  );
}

const levels = new WeakMap<Call, () => number>();

/** The same function for the same call, so that the meter is not begun anew with each event. */
function levelOf(call: Call): () => number {
  const level = levels.get(call) ?? (() => call.level());
  levels.set(call, level);
  return level;
}

/** The space bar is the button, wherever nothing else wants it. */
function useSpaceToTalk(call: Call, on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const ours = (event: KeyboardEvent) =>
      event.code === "Space" &&
      !(event.target as Element).closest?.("input, textarea, select, a, [role=switch], dialog");
    const down = (event: KeyboardEvent) => {
      if (!ours(event)) return;
      event.preventDefault();
      if (!event.repeat) call.press(true);
    };
    // let go wherever the focus went meanwhile
    const up = (event: KeyboardEvent) => {
      if (ours(event)) event.preventDefault();
      if (event.code === "Space") call.press(false);
    };
    const away = () => call.press(false);
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", away);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", away);
      call.press(false);
    };
  }, [call, on]);
}
