import type { Page } from "playwright-core";
import { leftAt, stallOf, type Witnessed, type Word, witnessed, witnessedBeside } from "./ear";

/** A packet of the topic `antiphon.words` (docs/livekit-room.md). */
interface Clip {
  type: "words";
  clip: number;
  segment_id: string;
  words: [text: string, start: number, end: number][];
  /** When it came, ms by the page's performance.now(). */
  ms: number;
}

/** For a page that is opened for a LiveKit room: as WITNESSED, and what the gateway told of words. */
export const WITNESSED_IN_A_ROOM = witnessedBeside(notePackets);

/** Packets are JSON within LiveKit's own envelope, which is not taken apart here. */
function notePackets(): void {
  const told: object[] = [];
  Object.defineProperty(RTCDataChannel.prototype, "onmessage", {
    set(this: RTCDataChannel, listener: EventListener) {
      this.addEventListener("message", ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        const text = new TextDecoder().decode(data);
        const begin = text.indexOf('{"type":"words"');
        for (let end = text.length; begin >= 0 && end > begin; end = text.lastIndexOf("}", end - 1)) {
          try {
            told.push({ ...JSON.parse(text.slice(begin, end + 1)), ms: performance.now() });
            return;
          } catch {
            // the envelope goes on behind it
          }
        }
      });
      this.addEventListener("message", listener);
    },
  });
  Object.assign(window, { told });
}

/** Of int16: what is louder is heard as speech. */
const LOUD = 650;
/** A packet is never later than its sound. ms. */
const EARLY = 100;

/** The words of the first clip of a reply. Opus leaves no sample as it was: the clip's first word was heard when sound began, the
 * others as long after it as the TTS made them. `reply`: which one of those on the page, from 1. */
export async function roomWordsOf(page: Page, reply: number): Promise<Word[]> {
  const seen = await witnessed(page);
  const told = await page.evaluate(() => (window as unknown as { told: Clip[] }).told);
  const segment = [...new Set(told.map((one) => one.segment_id))][reply - 1];
  const clip = told.find((one) => one.segment_id === segment);
  if (clip === undefined) throw new Error(`nothing was told of the words of reply ${reply}`);
  const began = begunAfter(seen, clip.ms - EARLY);
  const first = clip.words[0]?.[1] ?? 0;
  return clip.words.map(([text, start], number) => {
    const heard = began === null ? null : began + (start - first) * 1000;
    const words = (shown: string) => shown.split(/\s+/).filter((one) => one !== "").length;
    const lit = seen.said.find((one) => one.reply === reply && words(one.text) > number)?.ms ?? null;
    return { text, heard, lit, stall: heard === null || lit === null ? 0 : stallOf(seen, heard, lit) };
  });
}

/** When speech began to leave the loudspeaker, at or after `ms`; null: it never did. */
function begunAfter(seen: Witnessed, ms: number): number | null {
  const near = seen.clock.find((one) => one.ms >= ms) ?? seen.clock.at(-1);
  if (near === undefined) throw new Error("the browser never told where its output is");
  const from = Math.max(0, Math.round(near.at + ((ms - near.ms) * seen.rate) / 1000));
  const at = seen.heard.subarray(from).findIndex((sample) => Math.abs(sample) >= LOUD);
  return at < 0 ? null : leftAt(seen, from + at);
}
