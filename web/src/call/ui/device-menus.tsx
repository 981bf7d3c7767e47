import type { Resolution, TransportKind } from "@/call/transport/transport";
import { canChooseSpeaker, type Device, inUse } from "@/sound/devices";
import { Select } from "@/ui/field";

const RESOLUTIONS: Record<Resolution, string> = {
  "360p": "360p, for a thin line",
  "720p": "720p",
  "1080p": "1080p, for a wide one",
};

interface Menu {
  devices: Device[];
  chosen: string;
  onChoose: (device: string) => void;
}

/** `none`: what is said where there is no device to choose. */
export function DeviceMenu({ label, devices, chosen, none, onChoose }: Menu & { label: string; none: string }) {
  if (devices.length === 0) {
    return (
      <div className="text-sm">
        <p className="font-medium">{label}</p>
        <p className="text-muted">{none}</p>
      </div>
    );
  }
  return (
    <Select label={label} value={inUse(chosen, devices)} onChange={(event) => onChoose(event.target.value)}>
      {devices.map((device) => (
        <option key={device.id} value={device.id}>
          {device.name}
        </option>
      ))}
    </Select>
  );
}

/** Nothing where the browser plays a call of this kind as it likes: elements play a room, our own graph the rest. */
export function SpeakerMenu({ kind, ...menu }: Menu & { kind: TransportKind }) {
  const player = kind === "livekit" ? window.HTMLMediaElement : window.AudioContext;
  if (menu.devices.length === 0 || !canChooseSpeaker(player)) return null;
  return <DeviceMenu label="Loudspeaker" none="" {...menu} />;
}

/** `off`: the camera is, and can't be changed. */
export function ResolutionMenu({
  chosen,
  off = false,
  onChoose,
}: {
  chosen: Resolution;
  off?: boolean;
  onChoose: (resolution: Resolution) => void;
}) {
  return (
    <Select
      label="Camera resolution"
      value={chosen}
      disabled={off}
      hint={off ? "The camera is off." : undefined}
      onChange={(event) => onChoose(event.target.value as Resolution)}
    >
      {Object.entries(RESOLUTIONS).map(([value, name]) => (
        <option key={value} value={value}>
          {name}
        </option>
      ))}
    </Select>
  );
}
