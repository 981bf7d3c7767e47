import type { FromCapture } from "@/sound/capture.worklet";
import captureWorklet from "@/sound/capture.worklet.ts?worker&url";
import { HEARING_RATE } from "@/sound/frames";

export type MicrophoneProblem = "insecure" | "unsupported" | "denied" | "none" | "busy" | "failed";

/** Why there is no microphone. `problem` is for programs, the message for people. */
export class MicrophoneError extends Error {
  constructor(readonly problem: MicrophoneProblem) {
    super(MICROPHONE_PROBLEMS[problem]);
  }
}

export const MICROPHONE_PROBLEMS: Record<MicrophoneProblem, string> = {
  insecure: "Browsers give the microphone to pages on https and on localhost only, and this page is on plain http.",
  unsupported: "This browser gives pages no microphone.",
  denied: "This page may not use the microphone. Allow it beside the address, then try again.",
  none: "No microphone was found. Plug one in, then try again.",
  busy: "The microphone is there, but another program keeps it. Close that, then try again.",
  failed: "The microphone could not be opened.",
};

/** What is known without asking for it: null where a microphone may well be had. */
export function foreseen(page: { secure: boolean; devices: boolean }): MicrophoneProblem | null {
  if (!page.secure) return "insecure";
  return page.devices ? null : "unsupported";
}

/** What the browser's refusal means (the names are those of the Media Capture specification). */
export function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "failed";
}

/** The same of a camera, as a sentence. */
export function cameraProblem(error: unknown): string {
  if (!window.isSecureContext) return MICROPHONE_PROBLEMS.insecure.replace("microphone", "camera");
  const sentences: Record<MicrophoneProblem, string> = {
    insecure: "",
    unsupported: "This browser gives pages no camera.",
    denied: "This page may not use the camera. Allow it beside the address, then try again.",
    none: "No camera was found.",
    busy: "The camera is there, but another program keeps it.",
    failed: "The camera could not be turned on.",
  };
  return sentences[problemOf(error)];
}

type Hears = (frame: ArrayBuffer) => void;

/** One open microphone: its track, how loud it is, and frames for whoever listens. */
export class Microphone {
  /** 0 to 1, of the last 20 ms. */
  level = 0;
  /** Whether anything but perfect silence ever came. */
  alive = false;
  /** When it was opened, by performance.now(). */
  readonly since = performance.now();
  private hears: Hears = () => {};

  private constructor(
    readonly stream: MediaStream,
    private readonly context: AudioContext,
  ) {}

  /** `device`: its id, "" for the browser's choice. Rejects with a MicrophoneError. */
  static async open(device = ""): Promise<Microphone> {
    const problem = foreseen({ secure: window.isSecureContext, devices: "mediaDevices" in navigator });
    if (problem !== null) throw new MicrophoneError(problem);
    const stream = await capture(device);
    try {
      return await Microphone.listen(stream);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw error;
    }
  }

  private static async listen(stream: MediaStream): Promise<Microphone> {
    let context = new AudioContext({ sampleRate: HEARING_RATE });
    let source: MediaStreamAudioSourceNode;
    try {
      source = context.createMediaStreamSource(stream);
    } catch {
      await context.close();
      context = new AudioContext(); // it refuses a rate that is not the microphone's: the worklet resamples
      source = context.createMediaStreamSource(stream);
    }
    void context.resume();
    try {
      await context.audioWorklet.addModule(captureWorklet);
    } catch (error) {
      void context.close();
      throw error;
    }
    const node = new AudioWorkletNode(context, "antiphon-capture", { numberOfOutputs: 0 });
    const microphone = new Microphone(stream, context);
    node.port.onmessage = ({ data }: MessageEvent<FromCapture>) => {
      microphone.level = data.level;
      microphone.alive ||= data.alive;
      microphone.hears(data.frame);
    };
    source.connect(node);
    return microphone;
  }

  get track(): MediaStreamTrack {
    return this.stream.getAudioTracks()[0] as MediaStreamTrack;
  }

  get device(): string {
    return this.track.getSettings().deviceId ?? "";
  }

  /** `hears` gets each frame: 320 samples of int16 at 16 kHz. One listener; none with null. */
  onFrame(hears: Hears | null): void {
    this.hears = hears ?? (() => {});
  }

  /** Whether the browser lets nothing of it through: before a press, or after a phone call that took it. */
  get blocked(): boolean {
    return this.context.state !== "running" && this.context.state !== "closed";
  }

  async unblock(): Promise<void> {
    if (this.blocked) await this.context.resume();
  }

  /** Muted it goes on sending, silence. */
  set muted(muted: boolean) {
    this.track.enabled = !muted;
  }

  close(): void {
    this.onFrame(null);
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== "closed") void this.context.close();
  }
}

async function capture(device: string): Promise<MediaStream> {
  const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  const audio: MediaTrackConstraints = device ? { ...wanted, deviceId: { exact: device } } : wanted;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    if (device && problemOf(error) === "none") return capture(""); // it was unplugged
    throw new MicrophoneError(problemOf(error));
  }
}
