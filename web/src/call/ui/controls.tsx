import clsx from "clsx";
import {
  Hand,
  type LucideIcon,
  MicOff,
  MonitorUp,
  PhoneOff,
  PictureInPicture2,
  SlidersHorizontal,
  Users,
  Video,
  VideoOff,
} from "lucide-react";
import type { Call, Snapshot } from "@/call/call";
import { MicrophoneControl } from "@/call/ui/microphone-control";
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
  return (
    <div
      role="toolbar"
      aria-label="Call"
      className="flex flex-wrap items-center justify-center gap-1 p-2 sm:gap-2 sm:p-3"
    >
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
            onClick={() => void call.setCamera(mine.camera === null ? mine.resolution : null)}
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
        className="rounded-full! max-sm:size-10! max-sm:px-0!"
      >
        <span className="sr-only sm:not-sr-only">Leave</span>
      </Button>
    </div>
  );
}

function NoMicrophone({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const opening = snapshot.mine.microphone === "opening";
  return (
    <Button
      disabled={opening}
      onClick={() => void call.openMicrophone("")}
      icon={<MicOff aria-hidden className="size-4" />}
      className="h-10! rounded-full! sm:h-12!"
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
      onClick={(event) => {
        if (event.detail > 0) event.currentTarget.blur(); // pressed by a pointer: the space bar stays free for push-to-talk
        onClick();
      }}
      className={clsx(
        "inline-flex size-10 sm:size-12 items-center justify-center rounded-full border transition",
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
      className="inline-flex size-10 sm:size-12 items-center justify-center rounded-full border border-line bg-surface text-muted transition hover:border-strong-line"
    >
      <Icon aria-hidden className="size-5" />
    </button>
  );
}
