import { useEffect, useRef } from "react";
import { authorization, BASE } from "@/api/client";
import { addressOf, loadable } from "@/console/session/data/read";
import type { Clock } from "@/console/session/player/clock";

interface Props {
  session: string;
  /** Another number: there is more of the recording. */
  version: number;
  clock: Clock;
  /** Why there is no sound, in a sentence; "" where there is. */
  onSilent: (because: string) => void;
}

/** The recording, played by the browser, which fetches of it what it needs. It drives the clock. */
export function Sound({ session, version, clock, onSilent }: Props) {
  const element = useRef<HTMLAudioElement>(null);
  const source = loadable(addressOf(session, `/audio.wav${version ? `?version=${version}` : ""}`));
  useEffect(
    () => () => {
      clock.pause(); // else it would run on by itself, on a page that is gone
      clock.attach(null);
    },
    [clock],
  );
  return (
    // biome-ignore lint/a11y/useMediaCaption: its words stand below, and light up as they sound
    <audio
      ref={element}
      src={source}
      crossOrigin={BASE === window.location.origin ? undefined : "anonymous"}
      preload="metadata"
      onLoadedMetadata={() => {
        onSilent("");
        clock.attach(element.current);
      }}
      onError={() => {
        clock.attach(null);
        void whySilent(source).then(onSilent);
      }}
    />
  );
}

/** The browser doesn't say why it could not load a recording; the API does. */
async function whySilent(source: string): Promise<string> {
  try {
    const { ok, status } = await fetch(source, { method: "HEAD", headers: authorization() });
    if (ok) return "This browser can’t play the recording.";
    if (status === 404 || status === 410) return "No sound of this call is kept any more, or none was made yet.";
    return `The recording can’t be loaded: the API answered ${status}.`;
  } catch {
    return "The recording can’t be loaded: the API does not answer.";
  }
}
