import type { CallEvent, How, TimedWord } from "@/call/model/events";
import { timedShapes } from "@/call/model/shapes";
import { fieldsOf } from "@/call/transport/livekit/packets";

interface Reply {
  text: string;
  streaming: boolean;
  /** As far as is known. */
  how: How;
  over: boolean;
  /** Its first words were told of. */
  begun: boolean;
}

const FRESH: Reply = { text: "", streaming: false, how: "played", over: false, begun: false };

/** Turns back from the latest: what still comes of an older one is not told. */
const STILL_HEARD_OF = 8;
const HOWS: ReadonlySet<unknown> = new Set<How>([
  "played",
  "interrupted",
  "dropped",
  "failed",
  "expired",
  "taken_back",
]);
/** Characters of what is told of trouble. */
const LONGEST_CODE = 80;
const LONGEST_TROUBLE = 1000;

/** What a LiveKit room tells of words (docs/livekit-room.md), as events. `sent`: seconds, the second of the sound that leaves the gateway as
 * its news come; `heard`: does something once that second of it was heard;
 * `begins`: the speech of a reply does at that second, or, null, is cut off. */
export class LiveKitWords {
  private readonly replies = new Map<number, Reply>();

  constructor(
    private readonly tell: (event: CallEvent) => void,
    private readonly sent: () => number,
    private readonly heard: (at: number, then: () => void) => void,
    private readonly begins: (at: number | null) => void,
  ) {}

  /** Another session counts its turns from 1 again. */
  forget(): void {
    this.replies.clear();
  }

  /** A stream of a person's words: the whole text, in their name; nobody writes over what another has said. */
  person(participant: string, segment: string, text: string, final: boolean): void {
    this.tell({
      type: "heard",
      participant,
      turn: null,
      utterance: `${participant} ${segment}`,
      text,
      final,
    });
  }

  /** More of a reply has sounded; `over`: the stream was closed. */
  agent(segment: string, text: string, over: boolean): void {
    const turn = turnOf(segment);
    if (turn === null) return;
    const reply = this.reply(turn);
    reply.text = text;
    reply.streaming = !over;
    if (!over) this.tell({ type: "said", turn, text });
    else this.end(turn, reply);
  }

  /** A packet of the topic `antiphon.words`. */
  packet(data: Uint8Array): void {
    const message = fieldsOf(data);
    if (message.type === "error") this.trouble(message);
    const turn = turnOf(message.segment_id);
    if (turn === null) return;
    const reply = this.reply(turn);
    if (message.type === "hush") {
      this.tell({ type: "hushed", at: this.sent() });
    } else if (message.type === "figures") {
      const seconds = message.first_sound;
      if (typeof seconds === "number") this.tell({ type: "took", turn, seconds });
    } else if (message.type === "cut") {
      reply.how = howOf(message.how);
      this.begins(null);
      this.tell({ type: "hushed", at: this.sent() });
      if (!reply.streaming) this.end(turn, reply);
    } else if (message.type === "turn") {
      reply.how = howOf(message.how);
      this.end(turn, reply);
    } else if (message.type === "words" && !reply.over) {
      const at = this.sent() + numberOf(message.ahead);
      const index = numberOf(message.clip);
      this.tell({ type: "sentence", turn, index, text: String(message.text ?? ""), spoken: true, at });
      const words = timed(message.words, at);
      if (!reply.begun && words[0]) {
        reply.begun = true;
        this.begins(words[0][1]);
      }
      const shapes = timedShapes(message.visemes, at);
      this.tell({ type: "timings", turn, index, part: 0, words, shapes });
    }
  }

  private trouble({ code, message, fatal }: Record<string, unknown>): void {
    if (fatal === true || typeof code !== "string" || typeof message !== "string" || message === "") return;
    this.tell({ type: "trouble", code: code.slice(0, LONGEST_CODE), message: message.slice(0, LONGEST_TROUBLE) });
  }

  /** The gateway has sent all of it; its last words may still be on their way, for as long as the line delays sound. */
  private end(turn: number, reply: Reply): void {
    reply.over = true;
    const ended = () => this.tell({ type: "turn", turn, how: reply.how, heard: reply.text });
    if (reply.how === "interrupted" || reply.how === "taken_back") ended();
    else this.heard(this.sent(), ended);
  }

  private reply(turn: number): Reply {
    const reply = this.replies.get(turn) ?? { ...FRESH };
    this.replies.set(turn, reply);
    for (const old of this.replies.keys()) if (old < turn - STILL_HEARD_OF) this.replies.delete(old);
    return reply;
  }
}

/** The turn a segment of the agent's belongs to; null for anybody else's. */
export function turnOf(segment: unknown): number | null {
  const found = typeof segment === "string" ? /-agent-(\d+)$/.exec(segment) : null;
  return found === null ? null : Number(found[1]);
}

/** An older gateway does not say it: it told of no other end. */
function howOf(how: unknown): How {
  return HOWS.has(how) ? (how as How) : "interrupted";
}

function timed(words: unknown, at: number): TimedWord[] {
  if (!Array.isArray(words)) return [];
  return words
    .filter((word): word is [string, number, number] => Array.isArray(word) && typeof word[0] === "string")
    .map(([text, start, end]) => [text, at + numberOf(start), at + numberOf(end)] as const);
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
