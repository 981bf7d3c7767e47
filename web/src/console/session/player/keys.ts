import { useEffect } from "react";
import type { Clock } from "@/console/session/player/clock";

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2, 3];

interface Acts {
  onTurn: (step: 1 | -1) => void;
  onZoom: (factor: number | null) => void;
}

/** The page's keys: space, arrows (with shift: by ten seconds), brackets, comma and full stop, plus, minus, nought. Not while
 * something is typed or a control has the focus that knows the key itself. */
export function useKeys(clock: Clock, { onTurn, onZoom }: Acts): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || busy(event)) return;
      const act = KEYS[event.key];
      if (act === undefined) return;
      event.preventDefault();
      act(clock, { onTurn, onZoom }, event.shiftKey);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [clock, onTurn, onZoom]);
}

const KEYS: Record<string, (clock: Clock, acts: Acts, far: boolean) => void> = {
  " ": (clock) => clock.toggle(),
  ArrowLeft: (clock, _, far) => clock.seek(clock.seconds - (far ? 10 : 1)),
  ArrowRight: (clock, _, far) => clock.seek(clock.seconds + (far ? 10 : 1)),
  Home: (clock) => clock.seek(0),
  End: (clock) => clock.seek(clock.duration),
  "[": (_, { onTurn }) => onTurn(-1),
  "]": (_, { onTurn }) => onTurn(1),
  ",": (clock) => clock.setRate(beside(clock.rate, -1)),
  ".": (clock) => clock.setRate(beside(clock.rate, 1)),
  "+": (_, { onZoom }) => onZoom(0.5),
  "-": (_, { onZoom }) => onZoom(2),
  "0": (_, { onZoom }) => onZoom(null),
};

/** The speed one step from `rate`. */
export function beside(rate: number, step: 1 | -1): number {
  const at = RATES.indexOf(rate);
  return RATES[Math.min(Math.max(0, (at < 0 ? RATES.indexOf(1) : at) + step), RATES.length - 1)] as number;
}

function busy({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("input, textarea, select, dialog, [contenteditable]")) return true;
  if (target.closest("[role='tablist'], [role='listbox']") && key.startsWith("Arrow")) return true;
  if (target.closest("[data-keys='own']") && ["Home", "End"].includes(key)) return true;
  return key === " " && target.closest("button, a, summary") !== null;
}
