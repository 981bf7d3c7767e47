import clsx from "clsx";
import {
  Hand,
  type LucideIcon,
  Mic,
  MicOff,
  MonitorUp,
  PhoneOff,
  PictureInPicture2,
  SlidersHorizontal,
  Users,
  Video,
  VideoOff,
} from "lucide-react";
import { useEffect } from "react";
import type { Call, Snapshot } from "@/call/call";
import { Meter } from "@/call/ui/meter";
import { Button } from "@/ui/button";

interface Props {
  call: Call;
  snapshot: Snapshot;
  onPeople: () => void;
  onSettings: () => void;
  /** null where the browser has none. */
  onPicture: (() => void) | null;
}

/** What one does in a call: mute, push-to-talk, camera, screen, people, devices, leave. */
export function Controls({ call, snapshot, onPeople, onSettings, onPicture }: Props) {
  const { mine } = snapshot;
  const has = mine.microphone === "on";
  useSpaceToTalk(call, has && mine.pushToTalk);
  return (
    <div role="toolbar" aria-label="Call" className="flex flex-wrap items-center justify-center gap-2 p-3">
      {has ? <MicrophoneControl call={call} snapshot={snapshot} /> : <NoMicrophone call={call} snapshot={snapshot} />}
      {has ? (
        <Toggle
          icon={Hand}
          on={mine.pushToTalk}
          label={mine.pushToTalk ? "Push-to-talk is on" : "Push-to-talk is off"}
          onClick={() => call.setPushToTalk(!mine.pushToTalk)}
        />
      ) : null}
      {call.transport.video === null ? null : (
        <>
          <Toggle
            icon={mine.camera === null ? VideoOff : Video}
            on={mine.camera !== null}
            label={mine.camera === null ? "Camera is off" : "Camera is on"}
            onClick={() => void call.setCamera(mine.camera === null ? "720p" : null)}
          />
          {"mediaDevices" in navigator && "getDisplayMedia" in navigator.mediaDevices ? (
            <Toggle
              icon={MonitorUp}
              on={mine.screen}
              label={mine.screen ? "Your screen is shared" : "Your screen is not shared"}
              onClick={() => void call.setScreen(!mine.screen)}
            />
          ) : null}
        </>
      )}
      {onPicture === null ? null : <Act icon={PictureInPicture2} label="Picture in picture" onClick={onPicture} />}
      <Act icon={Users} label={`People (${snapshot.call.people.length})`} onClick={onPeople} />
      <Act icon={SlidersHorizontal} label="Devices" onClick={onSettings} />
      <Button
        tone="danger"
        onClick={() => void call.leave()}
        icon={<PhoneOff aria-hidden className="size-4" />}
        className="rounded-full"
      >
        Leave
      </Button>
    </div>
  );
}

function MicrophoneControl({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { mine } = snapshot;
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
          "flex h-12 touch-none select-none items-center gap-2 rounded-full px-5 text-sm font-medium transition",
          mine.pressed ? "bg-accent text-accent-ink" : "border border-strong-line bg-surface text-ink",
        )}
      >
        <Mic aria-hidden className="size-4" />
        {mine.pressed ? "Release to send" : "Hold to talk, or space"}
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
        "flex h-12 items-center gap-3 rounded-full border px-5 text-sm font-medium transition",
        mine.muted ? "border-bad bg-bad-wash text-bad" : "border-line bg-surface text-ink hover:border-strong-line",
      )}
    >
      <Icon aria-hidden className="size-4" />
      {mine.muted ? <span className="w-14">Muted</span> : <Meter level={levelOf(call)} className="w-14" />}
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

function NoMicrophone({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const opening = snapshot.mine.microphone === "opening";
  return (
    <Button
      disabled={opening}
      onClick={() => void call.openMicrophone("")}
      icon={<MicOff aria-hidden className="size-4" />}
      className="h-12 rounded-full"
    >
      {opening ? "Asking for the microphone" : "Use a microphone"}
    </Button>
  );
}

function Toggle({
  icon: Icon,
  on,
  label,
  onClick,
}: {
  icon: LucideIcon;
  on: boolean;
  label: string;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label={label.replace(/ is (on|off|shared|not shared)$/, "")}
      title={label}
      onClick={onClick}
      className={clsx(
        "inline-flex size-12 items-center justify-center rounded-full border transition",
        on ? "border-accent bg-accent-wash text-accent" : "border-line bg-surface text-muted hover:border-strong-line",
      )}
    >
      <Icon aria-hidden className="size-5" />
    </button>
  );
}

function Act({ icon: Icon, label, onClick }: { icon: LucideIcon; label: string; onClick: () => void }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      onClick={onClick}
      className="inline-flex size-12 items-center justify-center rounded-full border border-line bg-surface text-muted transition hover:border-strong-line"
    >
      <Icon aria-hidden className="size-5" />
    </button>
  );
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
    const up = (event: KeyboardEvent) => {
      if (!ours(event)) return;
      event.preventDefault();
      call.press(false);
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
