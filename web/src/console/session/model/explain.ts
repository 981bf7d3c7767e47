import type { Bar, Note, Turn } from "@/console/session/model/shapes";
import { latency } from "@/format";

/** Why a turn took as long as it did, in words. `headline`: how long, from what to what. */
export interface Explanation {
  headline: string;
  /** Sentences, the most telling first. */
  because: string[];
}

const FROM: Record<string, string> = {
  voice: "from the caller’s last word to the agent’s first sound",
  text: "from the typed message to the agent’s first sound",
  own: "from the agent’s decision to speak to its first sound",
};

/** What a part is, as the subject of a sentence. */
const SUBJECT: Record<string, string> = {
  soft_end: "Waiting for a pause",
  stt: "Finding the words (STT)",
  llm: "The LLM’s first sentence",
  tts: "Making the voice (TTS)",
  commit_wait: "Making sure that the caller was done",
  playout: "Sending the sound",
};

/** Milliseconds below which waiting, or a difference from other turns, is not worth a sentence. */
const WORTH_TELLING = 25;

/** `others`: turns to compare with, this one may be among them. Null for a turn of which nothing was heard. */
export function explain(turn: Turn, others: readonly Turn[] = []): Explanation | null {
  if (turn.total_ms === null || turn.bars.length === 0) return null;
  const headline = `${latency(turn.total_ms)} ${FROM[turn.kind] ?? "to the agent’s first sound"}.`;
  const sorted = [...turn.bars].sort((one, other) => other.ms - one.ms);
  const [longest, next] = sorted as [Bar, Bar | undefined];
  const because = [lead(longest, next, turn.total_ms)];
  const waited = queuedMs(longest);
  if (waited >= WORTH_TELLING)
    because.push(`It waited ${latency(waited)} for a free worker, then worked for ${latency(longest.ms - waited)}.`);
  const usual = usualMs(longest.part, turn, others);
  if (usual !== null) because.push(comparison(longest, usual)); // "That": before another part is named
  for (const bar of sorted.slice(1))
    if (queuedMs(bar) >= Math.max(WORTH_TELLING, bar.ms / 2))
      because.push(`${bar.name} waited ${latency(queuedMs(bar))} of its ${latency(bar.ms)} for a free worker.`);
  because.push(...troubles(turn, turn.total_ms));
  return { headline, because };
}

const WRONG: Record<string, string> = { failed: "failed", expired: "came too late", retry: "was tried again" };

/** What went wrong until its first sound; what exactly, its marks say. */
function troubles(turn: Turn, total: number): string[] {
  const heard_s = turn.began_s + total / 1000;
  const tell = (when: string, from_s: number, to_s: number) => {
    const kinds = new Set(turn.notes.filter(({ at_s }) => at_s >= from_s && at_s < to_s).map(({ kind }) => kind));
    const what = Object.entries(WRONG).flatMap(([kind, words]) => (kinds.has(kind as Note["kind"]) ? [words] : []));
    return what.length === 0 ? [] : [`${when} a job ${what.join(", or ")}: it stands below.`];
  };
  return [
    ...tell("In that time", turn.began_s, heard_s),
    ...tell("Before that, while the caller was not done,", Number.NEGATIVE_INFINITY, turn.began_s),
  ];
}

function lead(longest: Bar, next: Bar | undefined, total: number): string {
  const share = Math.min(100, Math.round((longest.ms / Math.max(total, 1)) * 100)); // both are rounded to milliseconds
  const took = `${SUBJECT[longest.part] ?? longest.name} took the longest: ${latency(longest.ms)}, ${share} % of it`;
  return next === undefined
    ? `${took}.`
    : `${took}, ${latency(longest.ms - next.ms)} more than the next (${next.name}).`;
}

function comparison(bar: Bar, usual: number): string {
  const more = bar.ms - usual;
  if (Math.abs(more) < Math.max(WORTH_TELLING, usual * 0.1)) return `That is usual in this call (${latency(usual)}).`;
  return `That is ${latency(Math.abs(more))} ${more > 0 ? "more" : "less"} than usual in this call (${latency(usual)}).`;
}

/** The median of this part in the call's other turns of that kind; null where there are fewer than two. */
function usualMs(part: string, turn: Turn, others: readonly Turn[]): number | null {
  const alike = others.filter((one) => one.turn !== turn.turn && one.kind === turn.kind && one.total_ms !== null);
  if (alike.length < 2) return null;
  const sorted = alike
    .map((one) => one.bars.find((bar) => bar.part === part)?.ms ?? 0)
    .sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

export function queuedMs(bar: Bar): number {
  return Math.min(bar.ms, Math.round(bar.queued_s * 1000));
}

const ENDED: Record<string, string> = {
  "interrupted barge_in": "Interrupted: the caller spoke",
  "interrupted say": "Interrupted: something else had to be said",
  "interrupted lost": "Cut: its gateway was lost",
  "interrupted rewound": "Cut: the log lost its tail",
  "interrupted session": "Cut: the session ended",
  "dropped session": "Cut: the session ended",
  "dropped noise": "No answer: it was noise",
  "dropped empty": "No answer: no words were found",
  "dropped backchannel": "No answer: only “mhm”",
  "dropped replaced": "No answer: the caller spoke first",
  "dropped taken_back": "Restarted: the caller went on, and was answered whole",
  "dropped overload": "No answer: too much was waiting",
  "dropped unaddressed": "No answer: somebody else was meant",
  "dropped asleep": "No answer: nobody said the wake phrase",
  "dropped cancelled": "No answer: taken back by the button",
  "dropped machine": "No answer: an answering machine said it",
  "dropped lost": "No answer: its sound went with its gateway",
  "failed stt": "Failed: the words could not be found",
  "failed llm": "Failed: the LLM gave no answer",
  "failed tts": "Failed: the voice could not be made",
  "expired stt": "Took too long: the words came too late",
  "expired llm": "Took too long: the LLM’s answer came too late",
  "expired tts": "Took too long: the voice came too late",
  "expired session": "Cut: the session ended",
};

/** It got no answer, or not all of it, by a fault: not because somebody hung up. */
export function hasFailed(turn: Turn): boolean {
  return (turn.how === "failed" || turn.how === "expired") && turn.reason !== "session";
}

/** How a turn ended, where there is more to it than that it was answered. */
export function ending(turn: Turn): string {
  return ENDED[`${turn.how} ${turn.reason}`] ?? "";
}
