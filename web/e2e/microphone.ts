import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./paths";

/** The lines that the demo's caller says, ops/demo/NAME.flac. */
export type Line = "capital" | "first" | "pause" | "stop" | "story" | "yeah";

interface Scripted {
  say(flac: string): Promise<number>;
}

/** Runs in the page, before any of its own code: its microphone says what `speak` has it say, and is silent otherwise. */
export function scriptMicrophone(): void {
  const context = new AudioContext({ sampleRate: 48_000 });
  const mouth = context.createMediaStreamDestination();
  const silence = context.createConstantSource();
  silence.offset.value = 0;
  silence.connect(mouth);
  silence.start();
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    await context.resume();
    const tracks = wanted?.video ? (await real({ video: wanted.video })).getVideoTracks() : [];
    const voice = wanted?.audio ? mouth.stream.getAudioTracks().map((track) => track.clone()) : [];
    return new MediaStream([...voice, ...tracks]);
  };
  const scripted: Scripted = {
    async say(flac) {
      const bytes = Uint8Array.from(atob(flac), (letter) => letter.charCodeAt(0));
      const sound = context.createBufferSource();
      sound.buffer = await context.decodeAudioData(bytes.buffer);
      sound.connect(mouth);
      await new Promise((resolve) => {
        sound.onended = resolve;
        sound.start();
      });
      return sound.buffer.duration;
    },
  };
  Object.assign(window, { scripted });
}

/** A page, whoever drives it. */
interface Speaks {
  evaluate(said: (flac: string) => Promise<unknown>, flac: string): Promise<unknown>;
}

/** Say a line, in real time; resolves when it is said. */
export async function speak(page: Speaks, line: Line): Promise<void> {
  const flac = readFileSync(join(ROOT, "ops/demo", `${line}.flac`)).toString("base64");
  await page.evaluate((said) => (window as unknown as { scripted: Scripted }).scripted.say(said), flac);
}
