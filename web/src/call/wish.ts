import type { Resolution, TransportKind, Wish } from "@/call/transport/transport";

const KEY = "antiphon.call";

/** What was chosen last, and what the address asks for: `/?agent=NAME&room=NAME&name=NAME&mode=livekit`. */
export interface Chosen extends Wish {
  microphone: string;
  speaker: string;
  camera: string;
  resolution: Resolution;
}

const FIRST: Chosen = {
  kind: "websocket",
  name: "",
  room: "",
  agent: "",
  microphone: "",
  speaker: "",
  camera: "",
  resolution: "720p",
};

/** Who asks for an agent and names no room is not led into the room of the last time. */
export function chosen(kept: string | null, search: string): Chosen {
  const asked = new URLSearchParams(search);
  const before = read(kept);
  const mode = asked.get("mode") ?? "";
  const agent = asked.get("agent") ?? before.agent;
  return {
    ...before,
    kind: isKind(mode) ? mode : before.kind,
    name: asked.get("name") ?? before.name,
    room: asked.get("room") ?? (agent === "" ? before.room : ""),
    agent,
  };
}

export function load(): Chosen {
  return chosen(localStorage.getItem(KEY), window.location.search);
}

/** For the next time; what was not chosen by hand stays as it was. */
export function keep(change: Partial<Chosen>): void {
  localStorage.setItem(KEY, JSON.stringify({ ...read(localStorage.getItem(KEY)), ...change }));
}

/** The wish with a room of its own, where an agent is asked for and no room is named: a room that stands keeps the agent it has. */
export function placed(wish: Chosen): Chosen {
  const alone = wish.kind === "livekit" && wish.agent !== "" && wish.room === "";
  return alone ? { ...wish, room: newRoom() } : wish;
}

/** That nobody guesses: who knows a room's name may come in. */
function newRoom(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `room-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function isKind(kind: unknown): kind is TransportKind {
  return kind === "websocket" || kind === "livekit";
}

function isResolution(resolution: unknown): resolution is Resolution {
  return resolution === "360p" || resolution === "720p" || resolution === "1080p";
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
    return {
      ...whole,
      kind: isKind(whole.kind) ? whole.kind : FIRST.kind,
      resolution: isResolution(whole.resolution) ? whole.resolution : FIRST.resolution,
      agent: "",
    };
  } catch {
    return FIRST;
  }
}
