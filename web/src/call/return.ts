import type { Line, Transcript } from "@/call/model/transcript";
import { sounded, tokensOf } from "@/call/model/words";
import { WAITS_MS, type WayBack, type Wish } from "@/call/transport/transport";

const KEY = "antiphon.left";
const MOST_LINES = 200;

/** A call whose page was left, or loaded anew. `microphone`: its device, null: it was typed; `at`: by Date.now(). */
export interface Left {
  wish: Wish;
  back: WayBack;
  microphone: string | null;
  muted: boolean;
  pushToTalk: boolean;
  lines: Line[];
  at: number;
}

/** Kept by this tab alone, and until it is closed at most. */
export function keepCall(left: Left): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(left));
  } catch {
    // storage is full, or refused: then there is no way back
  }
}

export function forgetCall(): void {
  sessionStorage.removeItem(KEY);
}

/** The call to which one can still return; null where there is none. */
export function leftCall(now = Date.now()): Left | null {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Left | null;
    return found !== null && now - found.at < WAITS_MS && Array.isArray(found.lines) ? found : null;
  } catch {
    return null;
  }
}

/** What can be shown again on a new page, before anything that is said there: words that are certain. `position`: of the sound. */
export function portable(transcript: Transcript, position: number): Line[] {
  const lines = transcript.lines.flatMap((line) => settled(line, position)).slice(-MOST_LINES);
  return lines.map((line, place) => ({ ...line, at: place - lines.length }));
}

/** Files are gone with their page, and interim words come again; of a reply that still sounds, the sentences that were heard. */
function settled(line: Line, position: number): Line[] {
  if (line.kind === "file") return [];
  if (line.kind === "person") return line.final ? [line] : [];
  const heard = line.sentences.filter(
    (sentence) => line.over !== null || sounded(sentence, position) >= tokensOf(sentence.text).length,
  );
  return [{ ...line, sentences: heard.map((sentence) => ({ ...sentence, spoken: false, parts: {} })) }];
}
