import { useSyncExternalStore } from "react";
import type { Call } from "@/call/call";

/** The call of this page, kept while one looks at other views. Nothing of the call's own code is loaded for it. */
let current: Call | null = null;
const listeners = new Set<() => void>();

export function setCurrent(call: Call | null): void {
  if (current !== call) current?.letGo();
  current = call;
  for (const listener of listeners) listener();
}

/** Ends the call there is: nobody could any more, where the page is another's from now on. */
export function leaveCurrent(): void {
  void current?.leave();
  setCurrent(null);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useCurrent(): Call | null {
  return useSyncExternalStore(subscribe, () => current);
}

/** Whether the call has come to its end; false where there is none. */
export function useOver(call: Call | null): boolean {
  return useSyncExternalStore(call?.subscribe ?? nothing, () => call?.getSnapshot().call.link.phase === "over");
}

function nothing(): () => void {
  return () => {};
}
