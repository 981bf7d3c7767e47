import type { TransportKind, Wish } from "@/call/transport/transport";

const KEY = "antiphon.call";

/** What was chosen last, and what the address asks for: `/?agent=NAME&room=NAME&name=NAME&mode=livekit`. */
export interface Chosen extends Wish {
  microphone: string;
}

const FIRST: Chosen = { kind: "websocket", name: "", room: "", agent: "", microphone: "" };

export function chosen(kept: string | null, search: string): Chosen {
  const asked = new URLSearchParams(search);
  const before = read(kept);
  const mode = asked.get("mode") ?? "";
  return {
    ...before,
    kind: isKind(mode) ? mode : before.kind,
    name: asked.get("name") ?? before.name,
    room: asked.get("room") ?? before.room,
    agent: asked.get("agent") ?? before.agent,
  };
}

export function load(): Chosen {
  return chosen(localStorage.getItem(KEY), window.location.search);
}

export function keep(chosen: Chosen): void {
  localStorage.setItem(KEY, JSON.stringify(chosen));
}

function isKind(kind: unknown): kind is TransportKind {
  return kind === "websocket" || kind === "livekit";
}

function read(kept: string | null): Chosen {
  try {
    const found: unknown = JSON.parse(kept ?? "null");
    if (typeof found !== "object" || found === null) return FIRST;
    const texts = Object.entries(FIRST).map(([name, value]) => {
      const other = (found as Record<string, unknown>)[name];
      return [name, typeof other === "string" ? other.slice(0, 120) : value];
    });
    const whole = Object.fromEntries(texts) as Chosen;
    return { ...whole, kind: isKind(whole.kind) ? whole.kind : FIRST.kind, agent: "" };
  } catch {
    return FIRST;
  }
}
