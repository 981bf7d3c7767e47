import { AudioLines, Keyboard } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { begin } from "@/call/begin";
import { Front } from "@/call/ui/front";
import { Prejoin } from "@/call/ui/prejoin";
import { type Chosen, keep, load, placed } from "@/call/wish";
import { foreseen, MICROPHONE_PROBLEMS, type Microphone } from "@/sound/microphone";
import { Button } from "@/ui/button";

/** The first minute: one button. What can be chosen stands below, and need not be. */
export function Start() {
  const [wish, setWish] = useState<Chosen>(load);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const tried = useRef<Microphone | null>(null);
  useEffect(() => () => tried.current?.close(), []);
  const missing = foreseen({ secure: window.isSecureContext, devices: "mediaDevices" in navigator });
  const choose = (change: Partial<Chosen>) => {
    setWish((before) => ({ ...before, ...change }));
    keep(change);
  };
  const start = async (typed: boolean) => {
    setBusy(true);
    setProblem("");
    const open = tried.current?.track.readyState === "live" ? tried.current : null; // else it was unplugged meanwhile
    if (typed || open === null) tried.current?.close();
    tried.current = null;
    try {
      await begin(placed(wish), typed ? "none" : (open ?? { device: wish.microphone }));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "The call could not begin.");
      setBusy(false);
    }
  };
  return (
    <Front
      title="Talk to the agent"
      lead={
        missing === null
          ? "Press, speak, and it answers. Interrupt it whenever you like."
          : MICROPHONE_PROBLEMS[missing]
      }
      problem={problem}
      below={<Prejoin wish={wish} onChoose={choose} tried={tried} mayHear={missing === null} />}
    >
      {missing === null ? (
        <>
          <Button
            tone="primary"
            size="large"
            disabled={busy}
            onClick={() => void start(false)}
            icon={<AudioLines aria-hidden className="size-5" />}
            className="min-w-52 rounded-full!"
          >
            {busy ? "Connecting" : wish.kind === "livekit" ? "Join" : "Talk"}
          </Button>
          <Button
            tone="quiet"
            disabled={busy}
            onClick={() => void start(true)}
            icon={<Keyboard aria-hidden className="size-4" />}
          >
            Type instead
          </Button>
        </>
      ) : (
        <Button
          tone="primary"
          size="large"
          disabled={busy}
          onClick={() => void start(true)}
          icon={<Keyboard aria-hidden className="size-5" />}
          className="min-w-52 rounded-full!"
        >
          {busy ? "Connecting" : "Type to the agent"}
        </Button>
      )}
    </Front>
  );
}
