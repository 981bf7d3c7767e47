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

function witnessIn(tap: string): void {
  const blocks: { at: number; block: Float32Array }[] = [];
  const clock: { at: number; ms: number }[] = [];
  const pcm: Int16Array[] = [];
  const words: Witnessed["words"] = [];
  const said: Witnessed["said"] = [];
  let rate = 0;

  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (this: AudioNode, ...rest: unknown[]) {
    if (rest[0] instanceof AudioDestinationNode && rate === 0) void listen(this);
    return (connect as (...all: unknown[]) => AudioNode).apply(this, rest);
  } as typeof connect;

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
  }

  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...rest: ConstructorParameters<typeof Real>) {
      super(...rest);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer) pcm.push(new Int16Array(data.slice(0)));
        else if (typeof data === "string") heed(JSON.parse(data));
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
      const steps = blocks.map((one) => Math.round(one.at * rate));
      const holes = steps.filter((step, place) => place > 0 && step - (steps[place - 1] as number) !== 128).length;
      return { heard: text(heard), rate, clock: at, sent: text(sent), words, said, holes };
    },
  });
}

/** What was heard and seen so far. */
export async function witnessed(page: Page): Promise<Witnessed & { holes: number }> {
  type Packed = Omit<Witnessed, "heard" | "sent"> & { heard: string; sent: string; holes: number };
  const packed = await page.evaluate(() => (window as unknown as { witnessed(): Packed }).witnessed());
  return { ...packed, heard: samples(packed.heard), sent: samples(packed.sent) };
}

function samples(base64: string): Int16Array {
  const bytes = Buffer.from(base64, "base64");
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** When the sample `at` of what was heard left the loudspeaker. */
export function heardAt({ clock, rate }: Witnessed, at: number): number {
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
