import { Link, useLocation } from "wouter";
import type { Call } from "@/call/call";
import { useCurrent, useOver } from "@/call/current";
import { Button } from "@/ui/button";

/** While one looks at other views, the call goes on: a line that says so, and the way back. */
export function CallDock() {
  const call = useCurrent();
  const [place] = useLocation();
  return call === null || place === "/" ? null : <Dock call={call} />;
}

function Dock({ call }: { call: Call }) {
  if (useOver(call)) return null;
  return (
    <aside
      aria-label="Your call"
      className="fixed right-4 bottom-18 z-30 flex items-center gap-2 rounded-full border border-line bg-surface py-1.5 pr-1.5 pl-4 text-sm shadow-float md:bottom-4"
    >
      <span aria-hidden className="size-2 rounded-full bg-accent" />
      <Link href="/" className="font-medium hover:underline">
        Your call goes on
      </Link>
      <Button size="small" tone="danger" className="rounded-full!" onClick={() => void call.leave()}>
        Leave
      </Button>
    </aside>
  );
}
