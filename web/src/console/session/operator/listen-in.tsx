import { Ear, EarOff } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { type Hearing, Listening } from "@/console/session/operator/listening";
import type { Clock } from "@/console/session/player/clock";
import { Button } from "@/ui/button";

/** The sound of a live call as it goes. While one listens, the clock stands at what is heard. */
export function ListenIn({ session, clock }: { session: string; clock: Clock }) {
  const [hearing, setHearing] = useState<Hearing>({ state: "off" });
  const listening = useRef<Listening | null>(null);
  const stop = () => {
    listening.current?.stop();
    listening.current = null;
    clock.ear = null;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page is left
  useEffect(() => stop, []);
  const begin = () => {
    clock.follow();
    const one = new Listening(session, (now) => {
      setHearing(now);
      if (now.state !== "on" && now.state !== "connecting") clock.ear = null;
    });
    listening.current = one;
    clock.ear = () => one.heard();
    void one.begin();
  };
  const on = hearing.state === "on" || hearing.state === "connecting";
  const Icon = on ? EarOff : Ear;
  return (
    <>
      <Button
        size="small"
        tone={on ? "primary" : "plain"}
        aria-pressed={on}
        icon={<Icon aria-hidden className="size-4" />}
        onClick={on ? stop : begin}
      >
        {hearing.state === "connecting" ? "Connecting" : on ? "Stop listening" : "Listen in"}
      </Button>
      <span aria-live="polite" className={hearing.state === "failed" ? "text-xs text-bad" : "text-xs text-muted"}>
        {hearing.state === "failed" || hearing.state === "over" ? hearing.because : ""}
        {hearing.state === "on" ? "A second behind" : ""}
      </span>
    </>
  );
}
