import { useSyncExternalStore } from "react";

/** What a person at this browser wants to see of the agent. */
export interface AvatarChoice {
  shown: boolean;
  look: string;
  background: string;
  /** An avatar of somebody else's, by its address; "" for one of our looks. */
  url: string;
  /** Frames a second at which this device drew it, where they were too few; 0 otherwise. */
  slow: number;
}

const KEY = "antiphon.avatar";
const FIRST: AvatarChoice = { shown: true, look: "ada", background: "plain", url: "", slow: 0 };

let current: AvatarChoice | null = null;
const listeners = new Set<() => void>();

export function avatarChoice(): AvatarChoice {
  current ??= read(localStorage.getItem(KEY));
  return current;
}

export function choose(change: Partial<AvatarChoice>): void {
  const { url } = avatarChoice();
  current = { ...avatarChoice(), ...change };
  if (url.startsWith("blob:") && url !== current.url) URL.revokeObjectURL(url); // nobody can choose it again
  localStorage.setItem(KEY, JSON.stringify(current));
  for (const listener of listeners) listener();
}

export function useAvatarChoice(): AvatarChoice {
  return useSyncExternalStore(subscribe, avatarChoice);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What was kept; what is no choice of ours is the first one. */
export function read(kept: string | null): AvatarChoice {
  try {
    const found = JSON.parse(kept ?? "null") as Record<string, unknown> | null;
    const fit = Object.entries(found ?? {}).filter(
      ([name, value]) => name in FIRST && typeof value === typeof FIRST[name as keyof AvatarChoice],
    );
    const choice = { ...FIRST, ...Object.fromEntries(fit) };
    return choice.url.startsWith("blob:") ? { ...choice, url: "" } : choice; // a file of this device is gone with its page
  } catch {
    return FIRST;
  }
}
