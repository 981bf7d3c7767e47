import type { LogEvent } from "@/console/session/model/shapes";

/**
 * Work that a stage did, or does: the events of a log that belong together, as one. It is derived anew from the events
 * whenever they change. Seconds are the session's.
 */
export interface Work {
  key: string;
  stage: Stage;
  turn: number | null;
  /** What was to be made. */
  what: string;
  /** When it was asked for, when a worker began with it (null: not yet, or not known), and when it was over (null: not yet). */
  asked_s: number;
  began_s: number | null;
  ended_s: number | null;
  /** pending: it is waited for · done · stale: what was made of it is no longer wanted · failed, expired: it will not come. */
  outcome: "pending" | "done" | "stale" | "failed" | "expired";
  /** Which delivery of the job brought it; 2 and more: another worker had it before. */
  attempt: number;
  /** Deliveries and calls that failed before, a sentence each. */
  retries: string[];
  /** Why it failed or expired. */
  because: string;
  /** The events it is made of. */
  seqs: number[];
}

export type Stage = "stt" | "llm" | "tts";

type Draft = Work & { generation: number | null };

/** All the work of a log, in the order in which it was asked for. */
export function workOf(events: readonly LogEvent[]): Work[] {
  const found = new Desk();
  for (const event of events) found.take(event);
  return found.all();
}

/** When the log was told: `at_s` is when it happened. */
export function toldAt(event: LogEvent): number {
  return event.at_s + number(event.body.ago);
}

class Desk {
  private readonly drafts = new Map<string, Draft>();
  /** Those that are waited for: a call of hundreds of turns has few at a time. */
  private readonly pending = new Set<Draft>();
  /** What the LLM makes for each turn. */
  private readonly replies = new Map<number | null, Draft[]>();

  all(): Work[] {
    return [...this.drafts.values()].sort((one, other) => one.asked_s - other.asked_s);
  }

  take(event: LogEvent): void {
    const { type, body } = event;
    if (type === "utterance.captured") this.captured(event);
    else if (type === "transcript.final") this.finish(event, `stt/${body.utterance}`, "stt", "the caller’s words");
    else if (type === "turn.committed") this.committed(event);
    else if (type === "reply.sentence") this.sentence(event);
    else if (type === "reply.finished") this.finish(event, llmKey(event), "llm", "the reply");
    else if (type === "clip.ready") this.clip(event);
    else if (type === "hook.began") this.open(event, `hook/${body.call}`, "llm", `the hook ${body.hook}`);
    else if (type === "hook.called") this.finish(event, `hook/${body.call}`, "llm", `the hook ${body.hook}`);
    else if (type === "stage.failed" || type === "stage.expired") this.lost(event);
    else if (type === "turn.ended") this.close(event, (one) => one.turn === event.turn);
    else if (type === "session.ended") this.close(event, () => true);
    if (typeof body.raises === "number") this.raise(event, body.raises);
  }

  private open(event: LogEvent, key: string, stage: Stage, what: string): Draft {
    const known = this.drafts.get(key);
    if (known !== undefined) return known;
    const draft: Draft = {
      key,
      stage,
      what,
      turn: event.turn,
      generation: generation(event),
      asked_s: toldAt(event),
      began_s: null,
      ended_s: null,
      outcome: "pending",
      attempt: 1,
      retries: [],
      because: "",
      seqs: [],
    };
    this.drafts.set(key, draft);
    this.pending.add(draft);
    if (key.startsWith("llm/")) this.replies.set(event.turn, [...(this.replies.get(event.turn) ?? []), draft]);
    return draft;
  }

  /** A result tells how long its job took and waited, so when it was asked for and begun. */
  private result(event: LogEvent, key: string, stage: Stage, what: string): Draft {
    const draft = this.open(event, key, stage, what);
    draft.seqs.push(event.seq);
    const attempt = (event.body.cause as { attempt?: number } | undefined)?.attempt ?? 1;
    if (attempt > draft.attempt) {
      draft.retries.push(`another worker had it before: this is delivery ${attempt}`);
      draft.attempt = attempt;
    }
    if (draft.began_s === null) {
      draft.began_s = toldAt(event) - number(event.body.took);
      draft.asked_s = Math.min(draft.asked_s, draft.began_s - number(event.body.queued));
    }
    return draft;
  }

  private finish(event: LogEvent, key: string, stage: Stage, what: string): void {
    const draft = this.result(event, key, stage, what);
    draft.ended_s = toldAt(event);
    if (draft.outcome === "pending") this.settle(draft, "done");
  }

  private forget(key: string): void {
    const draft = this.drafts.get(key);
    if (draft === undefined) return;
    this.drafts.delete(key);
    this.pending.delete(draft);
    this.replies.set(draft.turn, this.replies.get(draft.turn)?.filter((one) => one !== draft) ?? []);
  }

  private settle(draft: Draft, outcome: Work["outcome"]): void {
    draft.outcome = outcome;
    this.pending.delete(draft);
  }

  private stale(draft: Draft, event: LogEvent, because: string): void {
    this.settle(draft, "stale");
    draft.because = because;
    draft.ended_s = toldAt(event);
  }

  private captured(event: LogEvent): void {
    const replaced = this.drafts.get(`stt/${event.body.replaces}`);
    if (replaced?.outcome === "pending")
      this.stale(replaced, event, "what was said went on, and was transcribed as one");
    this.open(event, `stt/${event.body.utterance}`, "stt", "the caller’s words").seqs.push(event.seq);
  }

  /** An answer is owed from here on, unless one is being made already or the agent speaks of its own accord. */
  private committed(event: LogEvent): void {
    if (OWN.has(String(event.body.why))) return;
    if (typeof event.body.raises === "number") this.raise(event, event.body.raises); // what was asked for before is asked anew
    const standing = this.replies.get(event.turn)?.some(({ outcome }) => outcome === "pending" || outcome === "done");
    if (standing) return;
    const key = `llm/${event.turn}.?`;
    const before = this.drafts.get(key);
    if (before !== undefined) {
      this.drafts.delete(key);
      before.key = `${key}${before.seqs[0]}`;
      this.drafts.set(before.key, before);
    }
    this.open(event, key, "llm", "the reply").seqs.push(event.seq);
  }

  private sentence(event: LogEvent): void {
    if (event.body.cause !== undefined) {
      this.forget(`llm/${event.turn}.?`);
      this.result(event, llmKey(event), "llm", "the reply");
    }
    const index = number(event.body.index);
    this.open(event, ttsKey(event, index), "tts", `the voice of sentence ${index + 1}`).seqs.push(event.seq);
  }

  private clip(event: LogEvent): void {
    const phrase = event.body.phrase;
    const index = number(event.body.index);
    const key = phrase ? `tts/phrase/${phrase}` : ttsKey(event, index);
    const what = phrase ? `the phrase “${phrase}”` : `the voice of sentence ${index + 1}`;
    if (event.body.last === false) this.result(event, key, "tts", what);
    else this.finish(event, key, "tts", what);
  }

  private lost(event: LogEvent): void {
    const { body } = event;
    const stage = String(body.stage) as Stage;
    const job = String(body.job ?? "");
    const draft = job.startsWith("hook/")
      ? this.open(event, job, stage, "a hook")
      : this.open(event, this.lostKey(event, stage), stage, WHAT[stage]);
    draft.seqs.push(event.seq);
    const message = String(body.message ?? "") || "it came too late to be of use";
    if (body.will_retry === true) {
      draft.retries.push(message);
      return;
    }
    this.settle(draft, event.type === "stage.failed" ? "failed" : "expired");
    draft.because = message;
    draft.ended_s = toldAt(event);
  }

  private lostKey(event: LogEvent, stage: Stage): string {
    const { body } = event;
    if (stage === "stt") return `stt/${body.utterance}`;
    if (stage === "tts") return body.phrase ? `tts/phrase/${body.phrase}` : ttsKey(event, number(body.index));
    const awaited = this.drafts.has(`llm/${event.turn}.?`) && !this.drafts.has(llmKey(event));
    return awaited ? `llm/${event.turn}.?` : llmKey(event);
  }

  /** What was made for an older generation and did not sound never will. */
  private raise(event: LogEvent, raised: number): void {
    for (const one of this.pending) {
      const older = one.generation !== null && one.generation < raised && one.stage !== "stt";
      if (older) this.stale(one, event, "the conversation had moved on");
    }
  }

  private close(event: LogEvent, belongs: (one: Draft) => boolean): void {
    for (const one of this.pending) if (belongs(one)) this.stale(one, event, "the turn was over before it was done");
  }
}

const WHAT: Record<Stage, string> = { stt: "the caller’s words", llm: "the reply", tts: "the voice" };
const OWN: ReadonlySet<string> = new Set(["greeting", "say", "fallback", "repeat", "filler", "idle", "goodbye"]);

function llmKey(event: LogEvent): string {
  return `llm/${event.turn}.${generation(event) ?? 0}`;
}

function ttsKey(event: LogEvent, index: number): string {
  return `tts/${event.turn}.${generation(event) ?? 0}.${index}`;
}

function generation(event: LogEvent): number | null {
  return typeof event.body.generation === "number" ? event.body.generation : null;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
