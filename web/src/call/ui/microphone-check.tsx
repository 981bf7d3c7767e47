import { type RefObject, useCallback, useState } from "react";
import { Meter } from "@/call/ui/meter";
import { DeviceMenu } from "@/call/ui/settings";
import { useDevices } from "@/sound/devices";
import { Microphone } from "@/sound/microphone";
import { Button } from "@/ui/button";

interface Props {
  chosen: string;
  tried: RefObject<Microphone | null>;
  onChoose: (device: string) => void;
}

/** Whether the microphone hears, before anybody else does. The one that is open here is the one the call begins with. */
export function MicrophoneCheck({ chosen, tried, onChoose }: Props) {
  const [open, setOpen] = useState("");
  const [problem, setProblem] = useState("");
  const devices = useDevices(open);
  const level = useCallback(() => tried.current?.level ?? 0, [tried]);
  const check = async (device: string) => {
    setProblem("");
    try {
      const microphone = await Microphone.open(device);
      tried.current?.close();
      tried.current = microphone;
      setOpen(microphone.device || "open");
      onChoose(microphone.device);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "The microphone could not be opened.");
    }
  };
  return (
    <div className="sm:col-span-2">
      {open ? (
        <div className="flex flex-col gap-2">
          <DeviceMenu
            label="Microphone"
            devices={devices.microphones}
            chosen={chosen || open}
            none="It is open; the browser does not say which one it is."
            onChoose={(device) => void check(device)}
          />
          <Meter level={level} />
          <p className="text-xs text-muted">Say something: the bar moves when you are heard.</p>
        </div>
      ) : (
        <Button onClick={() => void check(chosen)}>Check the microphone</Button>
      )}
      {problem ? (
        <p role="alert" className="mt-2 text-sm text-bad">
          {problem} You can still type.
        </p>
      ) : null}
    </div>
  );
}
