import type { components } from "@/api/schema";
import { span } from "@/format";

export type Queues = components["schemas"]["Queues"];
export type StageRow = components["schemas"]["StageRow"];
export type Worker = components["schemas"]["WorkerRow"];
export type Gateway = Queues["gateways"][number];
export type Stage = StageRow["stage"];

export const STAGES: Record<Stage, string> = {
  stt: "Speech to text",
  llm: "Language model",
  tts: "Text to speech",
  tools: "Tools",
};

/** Seconds that are kept. */
export const KEPT = 300;
/** Seconds without a word from a worker after which it counts as gone. */
export const GONE = 30;
/** Seconds that a job may wait before somebody should know. */
const LONG = 1;

/** A stage in one second; null: nothing is known of it. */
export type Second = { queued: number; running: number; done: number | null } | null;
export type History = Readonly<Record<string, readonly Second[]>>;

/** The history with what is now; `missed`: seconds since the last one of which nothing is known. */
export function remember(history: History, { stages }: Queues, missed = 0): History {
  const next: Record<string, readonly Second[]> = {};
  for (const { stage, queued, running, done_per_s } of stages) {
    const before = history[stage] ?? [];
    const gap: Second[] = before.length ? Array.from({ length: Math.min(missed, KEPT) }, () => null) : [];
    next[stage] = [...before, ...gap, { queued, running, done: done_per_s }].slice(-KEPT);
  }
  return next;
}

export function present(workers: readonly Worker[]): Worker[] {
  return workers.filter(({ seen_s }) => seen_s < GONE);
}

export interface Verdict {
  mood: "good" | "warn" | "bad";
  words: string;
  /** To be typed in a terminal. */
  command?: string;
}

/** How a stage is, in a sentence, and what to do about it. */
export function verdictOf(row: StageRow): Verdict {
  const name = STAGES[row.stage].toLowerCase();
  const command = `antiphon worker ${row.stage}`;
  const workers = present(row.workers);
  if (workers.length === 0) {
    const waits = row.queued ? `${row.queued === 1 ? "A job waits" : `${row.queued} jobs wait`}, and no` : "No";
    return { mood: "bad", words: `${waits} ${name} worker is running. Start one:`, command };
  }
  if (row.queued > 0 && row.oldest_s >= LONG)
    return {
      mood: "warn",
      words: `The oldest job has waited ${span(row.oldest_s)}: another worker would help:`,
      command,
    };
  return { mood: "good", words: row.running || row.queued ? "Keeping up" : "Idle" };
}
