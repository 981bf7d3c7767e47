import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answered, api, unlessRefused } from "@/api/client";
import type { components } from "@/api/schema";
import { useStream } from "@/api/stream";

/** Work in the background that an operator asked for. (To openapi-fetch a pair in its result is an array of any length.) */
export type Job = components["schemas"]["JobView"];
type Jobs = components["schemas"]["Jobs"];
export type Changes = Omit<components["schemas"]["ForkAsk"], "from_turn">;
export type Filter = components["schemas"]["BatchFilter"];

/** What came of a fork, or of what was taken in. */
export type Made = components["schemas"]["ForkResult"] | components["schemas"]["ImportResult"];
export type Removed = components["schemas"]["RemovalResult"];
export type Batch = components["schemas"]["BatchResult"];
/** A session of a batch; `error`: why it was not replayed. */
export type BatchRow = components["schemas"]["BatchRow"];
export type Verdict = NonNullable<BatchRow["verdict"]>;
/** Before and after. */
export type Two = components["schemas"]["BatchFigures"]["turns"];

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
    queryFn: ({ signal }) =>
      answered(api.GET("/v1/jobs/{job}", { params: { path: { job: id } }, signal })) as Promise<Job>,
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
    queryFn: ({ signal }) =>
      answered(api.GET("/v1/jobs", { params: { query: { limit: 100 } }, signal })) as Promise<Jobs>,
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
export function useAskFor<Body>(ask: (body: Body) => Promise<{ data?: Omit<Job, "result"> }>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Body) => answered(ask(body)) as Promise<Job>,
    onSuccess: (job) => {
      queries.setQueryData(["job", job.id], job);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
}
