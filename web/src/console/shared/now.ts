import { useSyncExternalStore } from "react";
import { apiNow } from "@/api/client";

const listeners = new Set<() => void>();
let timer = 0;
let now = apiNow();

function listen(tell: () => void): () => void {
  if (listeners.size === 0) {
    now = apiNow();
    timer = window.setInterval(() => {
      now = apiNow();
      for (const each of listeners) each();
    }, 1_000);
  }
  listeners.add(tell);
  return () => {
    listeners.delete(tell);
    if (listeners.size === 0) window.clearInterval(timer);
  };
}

/** The API's clock (ms since 1970), anew each second; one timer for all who watch it, none while nobody does. */
export function useNow(): number {
  return useSyncExternalStore(listen, () => now);
}
