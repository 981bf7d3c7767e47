import type { Call, Snapshot } from "@/call/call";
import type { Resolution } from "@/call/transport/transport";
import { type Device, inUse, useDevices } from "@/sound/devices";
import { Select } from "@/ui/field";

const RESOLUTIONS: Record<Resolution, string> = {
  "360p": "360p, for a thin line",
  "720p": "720p",
  "1080p": "1080p, for a wide one",
};

/** Devices in a call: each takes effect at once. */
export function Settings({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { mine } = snapshot;
  const devices = useDevices(`${mine.microphone} ${mine.camera}`);
  const { video } = call.transport;
  return (
    <div className="flex flex-col gap-4">
      <DeviceMenu
        label="Microphone"
        devices={devices.microphones}
        chosen={call.device}
        none="None is in use. Allow the microphone to choose one."
        onChoose={(device) => void call.openMicrophone(device)}
      />
      {devices.speakers.length > 0 ? (
        <DeviceMenu
          label="Loudspeaker"
          devices={devices.speakers}
          chosen={mine.speakerDevice}
          none=""
          onChoose={(device) => void call.setSpeaker(device)}
        />
      ) : null}
      {video === null ? (
        <p className="text-sm text-muted">Cameras and screens are for LiveKit calls; this one is by WebSocket.</p>
      ) : (
        <>
          <DeviceMenu
            label="Camera"
            devices={devices.cameras}
            chosen={mine.cameraDevice}
            none="None was found, or none is allowed yet: turn the camera on to be asked."
            onChoose={(device) => void call.setCamera(mine.camera ?? "720p", device)}
          />
          <Select
            label="Camera resolution"
            value={mine.camera ?? "720p"}
            disabled={mine.camera === null}
            hint={mine.camera === null ? "The camera is off." : undefined}
            onChange={(event) => void call.setCamera(event.target.value as Resolution)}
          >
            {Object.entries(RESOLUTIONS).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </Select>
        </>
      )}
    </div>
  );
}

export function DeviceMenu({
  label,
  devices,
  chosen,
  none,
  onChoose,
}: {
  label: string;
  devices: Device[];
  chosen: string;
  none: string;
  onChoose: (device: string) => void;
}) {
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
