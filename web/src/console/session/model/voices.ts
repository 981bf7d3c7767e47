import type { LogEvent } from "@/console/session/model/shapes";

/** Somebody's voice sounds, from one second of the session to another; `to_s` is null while it still does. */
export interface Voice {
  whose: "caller" | "agent";
  turn: number | null;
  from_s: number;
  to_s: number | null;
}

/** Who spoke when, as the log tells it: what is drawn where no sound is kept. */
export function voicesOf(events: readonly LogEvent[]): Voice[] {
  const voices: Voice[] = [];
  const open = new Map<string, Voice>();
  const begin = (key: string, voice: Voice) => {
    end(key, voice.from_s);
    open.set(key, voice);
    voices.push(voice);
  };
  const end = (key: string, at: number) => {
    const voice = open.get(key);
    if (voice !== undefined) voice.to_s = Math.max(at, voice.from_s);
    open.delete(key);
  };
  for (const { type, turn, at_s, body } of events) {
    const speaker = `caller ${body.participant}`;
    const agent = `agent ${turn}`;
    if (type === "speech.started" || type === "speech.resumed")
      begin(speaker, { whose: "caller", turn, from_s: at_s, to_s: null });
    else if (type === "speech.paused" || type === "utterance.captured" || type === "participant.left")
      end(speaker, at_s);
    else if (type === "playback.started" || type === "playback.resumed")
      begin(agent, { whose: "agent", turn, from_s: at_s, to_s: null });
    else if (type === "playback.paused" || type === "playback.finished" || type === "turn.ended") end(agent, at_s);
    else if (type === "session.ended" || type === "session.resumed") for (const key of [...open.keys()]) end(key, at_s);
  }
  return voices;
}
