import { useEffect, useState } from "react";

export interface Device {
  id: string;
  name: string;
}

export interface Devices {
  microphones: Device[];
  cameras: Device[];
  speakers: Device[];
}

const NONE: Devices = { microphones: [], cameras: [], speakers: [] };

/** As menus show them. Before a permission devices have no names and no ids: such are left out. */
export function menus(found: Pick<MediaDeviceInfo, "kind" | "deviceId" | "label">[]): Devices {
  const of = (kind: MediaDeviceKind, called: string): Device[] =>
    found
      .filter((device) => device.kind === kind && device.deviceId !== "")
      .map((device, place) => ({ id: device.deviceId, name: device.label || `${called} ${place + 1}` }));
  return {
    microphones: of("audioinput", "Microphone"),
    cameras: of("videoinput", "Camera"),
    speakers: of("audiooutput", "Loudspeaker"),
  };
}

/** The device that is in use: the chosen one while it is there, else the browser's. */
export function inUse(chosen: string, devices: Device[]): string {
  return devices.some((device) => device.id === chosen) ? chosen : (devices[0]?.id ?? "");
}

/** Whether what plays the sound lets a page choose where it comes out. */
export function canChooseSpeaker(player: { prototype: object } | undefined): boolean {
  return player !== undefined && "setSinkId" in player.prototype;
}

/** Has the browser ask for the camera, which tells its name, and lets it go at once. Rejects as getUserMedia does. */
export async function allowCamera(): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  for (const track of stream.getTracks()) track.stop();
}

/** The devices there are, now and whenever one is plugged in or out. `asked`: changes when a permission may have been given. */
export function useDevices(asked: unknown): Devices {
  const [devices, setDevices] = useState(NONE);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a permission changes what the same question answers
  useEffect(() => {
    if (!("mediaDevices" in navigator)) return;
    let gone = false;
    const look = async () => {
      const found = await navigator.mediaDevices.enumerateDevices().catch(() => []);
      if (!gone) setDevices(menus(found));
    };
    void look();
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => {
      gone = true;
      navigator.mediaDevices.removeEventListener("devicechange", look);
    };
  }, [asked]);
  return devices;
}
