import { AudioLines } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { begin } from "@/call/begin";
import { forgetCall, type Left, leftCall } from "@/call/return";
import { WAITS_MS } from "@/call/transport/transport";
import { Front } from "@/call/ui/front";
import { Button } from "@/ui/button";

/** The call this page left when it was loaded anew, for as long as it waits; and how to let it go. */
export function useLeft(): [Left | null, () => void] {
  const [left, setLeft] = useState(leftCall);
  const over = useCallback(() => {
    forgetCall();
    setLeft(null);
  }, []);
  useEffect(() => {
    if (left === null) return;
    const timer = window.setTimeout(over, left.at + WAITS_MS - Date.now());
    return () => window.clearTimeout(timer);
  }, [left, over]);
  return [left, over];
}

/** One press, and one is back in it: browsers let no sound out before a press. */
export function Waiting({ left, onOther }: { left: Left; onOther: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const back = async () => {
    setBusy(true);
    try {
      await begin(left.wish, left.microphone === null ? "none" : { device: left.microphone }, left);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "The call could not be gone on with.");
      setBusy(false);
    }
  };
  return (
    <Front
      title="Your call goes on"
      lead="This page was loaded anew. The agent waits for half a minute."
      problem={problem}
    >
      <Button
        tone="primary"
        size="large"
        disabled={busy}
        onClick={() => void back()}
        icon={<AudioLines aria-hidden className="size-5" />}
        className="min-w-52 rounded-full!"
      >
        {busy ? "Connecting" : "Return to the call"}
      </Button>
      <Button tone="quiet" disabled={busy} onClick={onOther}>
        Begin another
      </Button>
    </Front>
  );
}
