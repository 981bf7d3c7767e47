import type { BrowserContext, Page } from "playwright-core";

/** What a page let be heard and seen of the agent. Times are ms by the page's performance.now(). */
export interface Witnessed {
  /** What left the page for the loudspeaker, int16 at `rate`, silence included. */
  heard: Int16Array;
  rate: number;
  /** When the sample `at` of `heard` left the loudspeaker, by the browser's own clock of its output; in order. */
  clock: { at: number; ms: number }[];
  /** What the gateway sent since the last `ready`: sound, and words with the sample of it at which each begins. */
  sent: Int16Array;
  words: { turn: number; index: number; part: number; text: string; at: number }[];
  /** When the page could draw: a machine that is busy draws late, whatever the page does. */
  frames: number[];
  /** The said words of the newest reply, each time they changed. */
  said: { reply: number; text: string; ms: number }[];
}

interface Words {
  turn: number;
  index: number;
  part: number;
  offset: number;
}

const TAP = `registerProcessor("e2e-tap", class extends AudioWorkletProcessor {
  process([input]) {
    const block = input?.[0];
    this.port.postMessage({ at: currentTime, block: block ? block.slice() : new Float32Array(128) });
    return true;
  }
});`;

/** For a page that is opened: whatever it lets sound is recorded, beside when each word of the agent's lit up. Our own worklet is
 * none of the app's files, so its policy must not hold. */
export const WITNESSED = {
  bypassCSP: true,
  before: (context: BrowserContext): Promise<unknown> => context.addInitScript(witnessIn, TAP),
};

/** The same, and what `note` notes in the page. */
export function witnessedBeside(note: () => void) {
  return {
    ...WITNESSED,
    before: async (context: BrowserContext): Promise<void> => {
      await WITNESSED.before(context);
      await context.addInitScript(note);
    },
  };
}

function witnessIn(tap: string): void {
  const blocks: { at: number; block: Float32Array }[] = [];
  const clock: { at: number; ms: number }[] = [];
  const pcm: Int16Array[] = [];
  const words: Witnessed["words"] = [];
  const said: Witnessed["said"] = [];
  const frames: number[] = [];
  let rate = 0;
  requestAnimationFrame(function drawn() {
    frames.push(performance.now());
    requestAnimationFrame(drawn);
  });

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (this: AudioNode, ...rest: unknown[]) {
    if (rest[0] instanceof AudioDestinationNode && rate === 0) void listen(this);
    return (connect as (...all: unknown[]) => AudioNode).apply(this, rest);
  } as typeof connect;

  // a room's sound is played by an element
  const played = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject") as PropertyDescriptor;
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...played,
    set(this: HTMLMediaElement, stream: MediaStream | null) {
      played.set?.call(this, stream);
      if (this instanceof HTMLAudioElement && rate === 0 && (stream?.getAudioTracks().length ?? 0) > 0)
        void listen(new AudioContext().createMediaStreamSource(stream as MediaStream));
    },
  });

  async function listen(source: AudioNode): Promise<void> {
    const context = source.context as AudioContext;
    rate = context.sampleRate;
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([tap], { type: "text/javascript" })));
    const node = new AudioWorkletNode(context, "e2e-tap", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => blocks.push(data);
    source.connect(node);
    const look = () => {
      const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
      if (contextTime > 0) clock.push({ at: contextTime * rate, ms: performanceTime });
    };
    setInterval(look, 100);
    document.addEventListener("avatarframe", look, true); // lips are looked at by it
  }

  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...rest: ConstructorParameters<typeof Real>) {
      super(...rest);
      let gateway = false; // LiveKit's client has sockets, too, with bytes of another kind
      this.addEventListener("message", ({ data }) => {
        if (typeof data === "string") {
          heed(JSON.parse(data));
          gateway = true;
        } else if (data instanceof ArrayBuffer && gateway) pcm.push(new Int16Array(data.slice(0)));
      });
    }
  };

  function heed(message: { type: string; [field: string]: unknown }): void {
    if (message.type === "ready") pcm.length = words.length = 0;
    if (message.type !== "words") return;
    const { turn, index, part, offset } = message as unknown as Words;
    for (const [text, start] of message.words as [string, number][]) {
      words.push({ turn, index, part, text, at: offset + Math.round(start * rate) });
    }
  }

  new MutationObserver(() => {
    const replies = document.querySelectorAll("[data-said]");
    const text = replies[replies.length - 1]?.textContent ?? "";
    const last = said.at(-1);
    if (replies.length > 0 && (last?.text !== text || last.reply !== replies.length)) {
      said.push({ reply: replies.length, text, ms: performance.now() });
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });

  Object.assign(window, {
    /** When the last of what was recorded leaves the loudspeaker. */
    heardUntil() {
      const near = clock.at(-1);
      const end = (blocks.at(-1)?.at ?? 0) * rate + 128;
      return near === undefined ? 0 : near.ms + ((end - near.at) / rate) * 1000;
    },
    witnessed() {
      const first = Math.round((blocks[0]?.at ?? 0) * rate);
      const heard = new Int16Array(blocks.length * 128);
      for (const [place, { block }] of blocks.entries()) {
        heard.set(
          block.map((sample) => Math.round(sample * 32_768)),
          place * 128,
        );
      }
      const sent = new Int16Array(pcm.reduce((sum, one) => sum + one.length, 0));
      let end = 0;
      for (const one of pcm) {
        sent.set(one, end);
        end += one.length;
      }
      const text = (samples: Int16Array) => {
        let letters = "";
        const bytes = new Uint8Array(samples.buffer);
        for (let at = 0; at < bytes.length; at += 8192)
          letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
        return btoa(letters);
      };
      const at = clock.map(({ at, ms }) => ({ at: at - first, ms }));
      return { heard: text(heard), rate, clock: at, sent: text(sent), words, said, frames };
    },
  });
}

/** What was heard and seen so far. */
export async function witnessed(page: Page): Promise<Witnessed> {
  type Packed = Omit<Witnessed, "heard" | "sent"> & { heard: string; sent: string };
  const packed = await page.evaluate(() => (window as unknown as { witnessed(): Packed }).witnessed());
  return { ...packed, heard: samples(packed.heard), sent: samples(packed.sent) };
}

function samples(base64: string): Int16Array {
  const bytes = Buffer.from(base64, "base64");
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** When the sample `at` of what was heard left the loudspeaker. */
export function leftAt({ clock, rate }: Witnessed, at: number): number {
  const after = clock.findIndex((one) => one.at >= at);
  const near = clock[after < 0 ? clock.length - 1 : after];
  if (near === undefined) throw new Error("the browser never told where its output is");
  return near.ms + ((at - near.at) / rate) * 1000;
}

/** Where 20 ms of `sent`, from `at` on, stand in `heard`, at or after `from`; -1: they never sounded. */
export function placeOf({ heard, sent, rate }: Witnessed, at: number, from: number): number {
  const length = Math.min(rate / 50, sent.length - at);
  outer: for (let place = Math.max(0, from); place + length <= heard.length; place++) {
    for (let step = 0; step < length; step++) {
      if (heard[place + step] !== sent[at + step]) continue outer;
    }
    return place;
  }
  return -1;
}

/** A word of the agent's: when its sound left the loudspeaker (null: it never did), when it lit up (null likewise), and the longest
 * that the page could not draw around then. ms. */
export interface Word {
  text: string;
  heard: number | null;
  lit: number | null;
  stall: number;
}

/** The words of a reply, in order. `reply`: which one of those on the page, from 1. */
export function wordsOf(seen: Witnessed, reply: number): Word[] {
  const turn = [...new Set(seen.words.map((one) => one.turn))][reply - 1];
  const latest = new Map<string, Witnessed["words"]>();
  for (const word of seen.words.filter((one) => one.turn === turn)) {
    const part = `${String(word.index).padStart(4, "0")} ${String(word.part).padStart(4, "0")}`;
    const before = latest.get(part) ?? [];
    latest.set(part, before.some((one) => one.text === word.text && one.at === word.at) ? before : [...before, word]);
  }
  const words = [...latest].sort(([one], [other]) => (one < other ? -1 : 1)).flatMap(([, part]) => part);
  let from = 0;
  return words.map((word, number) => {
    const place = word.at < seen.sent.length ? placeOf(seen, word.at, from) : -1;
    if (place >= 0) from = place;
    const heard = place < 0 ? null : leftAt(seen, place);
    const count = (text: string) => text.split(/\s+/).filter((one) => one !== "").length;
    const lit = seen.said.find((one) => one.reply === reply && count(one.text) > number)?.ms ?? null;
    return { text: word.text, heard, lit, stall: heard === null || lit === null ? 0 : stallOf(seen, heard, lit) };
  });
}

/** The longest pause between two frames that lies, in part, between two moments. */
export function stallOf({ frames }: Witnessed, one: number, other: number): number {
  const [from, to] = [Math.min(one, other), Math.max(one, other)];
  const pauses = frames.map((frame, at) => ({ begin: frames[at - 1] ?? frame, frame }));
  const within = pauses.filter(({ begin, frame }) => begin <= to && frame >= from);
  return Math.max(0, ...within.map(({ begin, frame }) => frame - begin));
}

const TOGETHER = 200;

/** Words that did not light up as they sounded: within 200 ms, and what the machine itself kept the page from drawing. */
export function apart(words: Word[]): string[] {
  return words
    .filter(({ heard, lit, stall }) => heard === null || lit === null || Math.abs(lit - heard) > TOGETHER + stall)
    .map(({ text, heard, lit, stall }) => {
      if (heard === null) return `${text}: never sounded`;
      return lit === null
        ? `${text}: never lit up`
        : `${text}: ${Math.round(lit - heard)} ms, frames ${Math.round(stall)}`;
    });
}
