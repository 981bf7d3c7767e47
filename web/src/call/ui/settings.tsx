import type { Call, Snapshot } from "@/call/call";
import { DeviceMenu, ResolutionMenu, SpeakerMenu } from "@/call/ui/device-menus";
import { useDevices } from "@/sound/devices";

/** Devices in a call: each takes effect at once. */
export function Settings({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { mine } = snapshot;
  const devices = useDevices(`${mine.microphone} ${mine.camera}`);
  const { kind, video } = call.transport;
  return (
    <div className="flex flex-col gap-4">
      <DeviceMenu
        label="Microphone"
        devices={devices.microphones}
        chosen={call.device}
        none="None is in use. Allow the microphone to choose one."
        onChoose={(device) => void call.openMicrophone(device)}
      />
      <SpeakerMenu
        kind={kind}
        devices={devices.speakers}
        chosen={mine.speakerDevice}
        onChoose={(device) => void call.setSpeaker(device)}
      />
      {video === null ? (
        <p className="text-sm text-muted">Cameras and screens are for LiveKit calls; this one is by WebSocket.</p>
      ) : (
        <>
          <DeviceMenu
            label="Camera"
            devices={devices.cameras}
            chosen={mine.cameraDevice}
            none="None was found, or none is allowed yet: turn the camera on to be asked."
            onChoose={(device) => void call.setCamera(mine.resolution, device)}
          />
          <ResolutionMenu
            chosen={mine.resolution}
            off={mine.camera === null}
            onChoose={(resolution) => void call.setCamera(resolution)}
          />
        </>
      )}
    </div>
  );
}
