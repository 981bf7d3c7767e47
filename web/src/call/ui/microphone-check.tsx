import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { DeviceMenu } from "@/call/ui/device-menus";
import { Meter } from "@/call/ui/meter";
import { OtherDevices } from "@/call/ui/other-devices";
import type { Chosen } from "@/call/wish";
import { useDevices } from "@/sound/devices";
import { Microphone } from "@/sound/microphone";
import { Button } from "@/ui/button";

interface Props {
  wish: Chosen;
  tried: RefObject<Microphone | null>;
  onChoose: (change: Partial<Chosen>) => void;
}

/** Whether the microphone hears, before anybody else does; the one that is open here is the one the call begins with. Then browsers
 * tell what other devices there are. */
export function MicrophoneCheck({ wish, tried, onChoose }: Props) {
  const [open, setOpen] = useState("");
  const [problem, setProblem] = useState("");
  const [allowed, setAllowed] = useState(0);
  const devices = useDevices(`${open} ${allowed}`);
  const gone = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
    };
  }, []);
  const level = useCallback(() => tried.current?.level ?? 0, [tried]);
  const check = async (device: string) => {
    setProblem("");
    try {
      const microphone = await Microphone.open(device);
      if (gone.current) {
        microphone.close(); // they allowed it too late
        return;
      }
      tried.current?.close();
      tried.current = microphone;
      setOpen(microphone.device || "open");
      onChoose({ microphone: microphone.device });
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
            chosen={wish.microphone || open}
            none="It is open; the browser does not say which one it is."
            onChoose={(device) => void check(device)}
          />
          <Meter level={level} />
          <p className="text-xs text-muted">Say something: the bar moves when you are heard.</p>
          <OtherDevices {...{ wish, devices, onChoose }} onAllowed={() => setAllowed(allowed + 1)} />
        </div>
      ) : (
        <Button onClick={() => void check(wish.microphone)}>Check the microphone</Button>
      )}
      {problem ? (
        <p role="alert" className="mt-2 text-sm text-bad">
          {problem} You can still type.
        </p>
      ) : null}
    </div>
  );
}
