import type { Resolution } from "@/call/transport/transport";

/** What the person at this browser has chosen, and what came of it. */
export interface Mine {
  /** "off": none is asked for; "refused": `problem` says why; "on". */
  microphone: "off" | "opening" | "refused" | "on";
  problem: string;
  muted: boolean;
  /** Push-to-talk: muted but while the button is pressed. */
  pushToTalk: boolean;
  pressed: boolean;
  camera: Resolution | null;
  screen: boolean;
  cameraDevice: string;
  /** Of the camera, as it is or will be when it is turned on. */
  resolution: Resolution;
  speakerDevice: string;
}

/** Whether nobody hears the person, as they wished. */
export function silent({ pushToTalk, pressed, muted }: Mine): boolean {
  return pushToTalk ? !pressed : muted;
}
