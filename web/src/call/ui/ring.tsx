import clsx from "clsx";
import { useEffect, useRef } from "react";
import type { AgentState } from "@/call/model/events";
import type { Voice } from "@/call/transport/transport";

const RISE = 0.35;
const FALL = 0.12;

/** The agent as a calm ring: it widens with the voice, turns while the agent thinks, and rests while it listens. */
export function Ring({ voice, state, small = false }: { voice: Voice; state: AgentState; small?: boolean }) {
  const halo = useRef<SVGCircleElement>(null);
  useEffect(() => {
    let level = 0;
    let frame = 0;
    const draw = () => {
      const wanted = state === "speaking" ? voice.level() : 0;
      level += (wanted - level) * (wanted > level ? RISE : FALL);
      if (halo.current !== null) halo.current.style.strokeWidth = (1 + level * 13).toFixed(2);
      if (state === "speaking") frame = requestAnimationFrame(draw); // else it rests, and so may the machine
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [voice, state]);
  const away = state === "absent" || state === "joining";
  return (
    <svg
      viewBox="0 0 100 100"
      aria-hidden
      className={clsx(small ? "size-24" : "size-40 lg:size-56", "min-h-0 max-h-full")}
    >
      <circle ref={halo} cx="50" cy="50" r="36" className="fill-none stroke-accent-wash" />
      <circle
        cx="50"
        cy="50"
        r="30"
        className={clsx("transition-colors duration-500", away ? "fill-raised" : "fill-accent-wash")}
      />
      <circle
        cx="50"
        cy="50"
        r="30"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeDasharray={state === "thinking" ? "40 148.5" : undefined}
        className={clsx(
          "origin-center fill-none transition-colors duration-500",
          away ? "stroke-line" : "stroke-accent",
          state === "thinking" && "animate-spin",
        )}
      />
      <g strokeWidth="3.5" strokeLinecap="round" className={away ? "stroke-faint" : "stroke-accent"}>
        <path d="M42 44v12M47.5 40v20" />
        <path d="M52.5 42v16M58 46v8" className="opacity-60" />
      </g>
    </svg>
  );
}
