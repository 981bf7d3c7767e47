import { useState } from "react";
import { DeviceMenu, ResolutionMenu, SpeakerMenu } from "@/call/ui/device-menus";
import type { Chosen } from "@/call/wish";
import { allowCamera, type Devices } from "@/sound/devices";
import { cameraProblem } from "@/sound/microphone";
import { Button } from "@/ui/button";

interface Props {
  wish: Chosen;
  devices: Devices;
  onChoose: (change: Partial<Chosen>) => void;
  /** The camera was allowed: devices have names now. */
  onAllowed: () => void;
}

/** What a call begins with beside the microphone: where it is heard, and in a room which camera shows one. */
export function OtherDevices({ wish, devices, onChoose, onAllowed }: Props) {
  return (
    <div className="grid gap-4 empty:hidden sm:grid-cols-2">
      <SpeakerMenu
        kind={wish.kind}
        devices={devices.speakers}
        chosen={wish.speaker}
        onChoose={(speaker) => onChoose({ speaker })}
      />
      {wish.kind === "livekit" ? <Cameras {...{ wish, devices, onChoose, onAllowed }} /> : null}
    </div>
  );
}

function Cameras({ wish, devices, onChoose, onAllowed }: Props) {
  const [problem, setProblem] = useState("");
  const ask = () => {
    setProblem("");
    allowCamera().then(onAllowed, (error: unknown) => setProblem(cameraProblem(error)));
  };
  if (devices.cameras.length === 0) {
    return (
      <div className="self-end">
        <Button onClick={ask}>Choose a camera</Button>
        {problem ? (
          <p role="alert" className="mt-2 text-sm text-bad">
            {problem}
          </p>
        ) : null}
      </div>
    );
  }
  return (
    <>
      <DeviceMenu
        label="Camera"
        devices={devices.cameras}
        chosen={wish.camera}
        none=""
        onChoose={(camera) => onChoose({ camera })}
      />
      <ResolutionMenu chosen={wish.resolution} onChoose={(resolution) => onChoose({ resolution })} />
      <p className="text-xs text-muted sm:col-span-2">The camera is off until you turn it on in the call.</p>
    </>
  );
}
