import type { Page } from "playwright-core";
import { inject } from "vitest";
import { placeLike, RATE, resampled } from "./alike";
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
/** Of the call's sound: Hz, and the bytes before it. */
const HEARING_RATE = 16_000;
const HEAD = 44;
/** Samples at RATE: of a reply's beginning, and of a word, that are looked for; a word is looked for that near where it is due. */
const BEGINNING = RATE / 2;
const WORD = RATE / 4;
const NEAR = RATE;

/** The words of the first clip of a reply. Each is looked for by its sound, as the log has it: a browser that was kept from playing
 * draws out what it has, and all that follows is later. `reply`: which one of those on the page, from 1. */
export async function roomWordsOf(page: Page, session: string, reply: number): Promise<Word[]> {
  const seen = await witnessed(page);
  const told = await page.evaluate(() => (window as unknown as { told: Clip[] }).told);
  const segment = [...new Set(told.map((one) => one.segment_id))][reply - 1];
  const clip = told.find((one) => one.segment_id === segment);
  if (clip === undefined) throw new Error(`nothing was told of the words of reply ${reply}`);
  const heard = resampled(seen.heard, seen.rate);
  const sent = resampled(await agentSound(session), HEARING_RATE);
  const began = begunAfter(seen, clip.ms - EARLY);
  const begin = began === null ? null : Math.round((began / seen.rate) * RATE);
  const first = begin === null ? null : placeLike(heard.subarray(begin, begin + BEGINNING), sent, 0, sent.length);
  let from = 0;
  return clip.words.map(([text, start], number) => {
    const after = Math.round((start - (clip.words[0]?.[1] ?? 0)) * RATE);
    const place = begin === null || first === null ? null : soundOf(begin + after, sent.subarray(first + after));
    const words = (shown: string) => shown.split(/\s+/).filter((one) => one !== "").length;
    const lit = seen.said.find((one) => one.reply === reply && words(one.text) > number)?.ms ?? null;
    const left = place === null ? null : leftAt(seen, (place / RATE) * seen.rate);
    return { text, heard: left, lit, stall: left === null || lit === null ? 0 : stallOf(seen, left, lit) };
  });

  /** Where a word, which `sent` begins with, sounds, about `due`. */
  function soundOf(due: number, word: Float32Array): number | null {
    const place = placeLike(word.subarray(0, WORD), heard, Math.max(from, due - NEAR), due + NEAR);
    from = place ?? from;
    return place;
  }
}

/** What the agent was heard to say, by the log: the right side of the call's sound. */
async function agentSound(session: string): Promise<Int16Array> {
  const answer = await fetch(`${inject("stack").api_url}/v1/sessions/${session}/audio.wav`);
  if (!answer.ok) throw new Error(`the call's sound: ${answer.status} ${await answer.text()}`);
  const both = new Int16Array(await answer.arrayBuffer(), HEAD);
  return both.filter((_, at) => at % 2 === 1);
}

/** The sample with which speech begins to leave the loudspeaker, at or after `ms`; null: it never did. */
function begunAfter(seen: Witnessed, ms: number): number | null {
  const near = seen.clock.find((one) => one.ms >= ms) ?? seen.clock.at(-1);
  if (near === undefined) throw new Error("the browser never told where its output is");
  const from = Math.max(0, Math.round(near.at + ((ms - near.ms) * seen.rate) / 1000));
  const at = seen.heard.subarray(from).findIndex((sample) => Math.abs(sample) >= LOUD);
  return at < 0 ? null : from + at;
}
