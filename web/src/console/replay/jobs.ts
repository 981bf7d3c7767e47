import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answered, api, unlessRefused } from "@/api/client";
import type { components } from "@/api/schema";
import { useStream } from "@/api/stream";

/** Work in the background that an operator asked for. */
export type Job = components["schemas"]["JobView"];
export type Changes = Omit<components["schemas"]["ForkAsk"], "from_turn">;
export type Filter = components["schemas"]["BatchFilter"];

/** What came of a fork, or of what was taken in. */
export interface Made {
  session: string;
  notes: string[];
}

export interface Proof {
  id: string;
  asked_at: number;
  removed: { session: string; hash: string }[];
}

export interface Removed {
  proof: Proof | null;
  open: string[];
}

export type Two = [before: number | null, after: number | null];
export type Verdict = "better" | "worse" | "same";

/** A session of a batch; `error`: why it was not replayed. */
export interface BatchRow {
  session: string;
  error?: string;
  fork?: string;
  agent?: string;
  figures?: Record<"turns" | "interrupted" | "dropped" | "failed" | "p50_ms" | "worst_ms", Two>;
  wer?: number;
  why?: string;
  verdict?: Verdict;
}

export interface BatchFigures {
  turns: Two;
  interrupted: Two;
  dropped: Two;
  failed: Two;
  p50_ms: Two;
  p95_ms: Two;
  /** Times the agent began though the caller had not ended. */
  cut_ins?: Two;
  completion_tokens?: Two;
  /** Of words that are known otherwise, by captions, the share that was misheard. */
  wer_to_reference?: Two;
  wer: number | null;
  better: number;
  worse: number;
  same: number;
  unreplayed: number;
}

export interface Batch {
  sessions: BatchRow[];
  more: boolean;
  figures: BatchFigures;
  waits_ms: [before: number[], after: number[]];
}

export function isOver(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "stopped";
}

/** How far it is, 0 to 1; null: not known. */
export function shareOf(job: Job): number | null {
  if (job.state === "done") return 1;
  return job.of > 0 ? Math.min(job.done / job.of, 1) : null;
}

/** One job, followed until it is over. */
export function useJob(id: string) {
  const queries = useQueryClient();
  const key = ["job", id];
  const read = useQuery<Job>({
    queryKey: key,
    queryFn: ({ signal }) => answered(api.GET("/v1/jobs/{job}", { params: { path: { job: id } }, signal })),
    staleTime: 2_000,
  });
  const follows = read.data !== undefined && !isOver(read.data);
  useStream(follows ? `/v1/jobs/${encodeURIComponent(id)}/stream` : null, (events) => {
    for (const { event, data } of events) if (event === "job") queries.setQueryData(key, data as Job);
  });
  return read;
}

/** The latest of them, looked at again every few seconds. */
export function useJobs() {
  return useQuery({
    queryKey: ["jobs"],
    queryFn: ({ signal }) => answered(api.GET("/v1/jobs", { params: { query: { limit: 100 } }, signal })),
    refetchInterval: unlessRefused(3_000),
  });
}

export function useStop(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => answered(api.DELETE("/v1/jobs/{job}", { params: { path: { job: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["job", id] }),
  });
}

/** Something that is asked for; answers its job, which is then followed. */
export function useAskFor<Body>(ask: (body: Body) => Promise<{ data?: Job }>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Body) => answered(ask(body)),
    onSuccess: (job) => {
      queries.setQueryData(["job", job.id], job);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
}
