import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api } from "@/api/client";
import { type Letter, useLetters } from "@/console/queues/letters";
import { STAGES, type Stage } from "@/console/queues/model";
import { moment } from "@/format";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Select } from "@/ui/field";
import { Empty, Failed, Loading } from "@/ui/state";
import { Card, Chip } from "@/ui/surface";

type Said = { id: string; words: string; good: boolean };

/** Jobs that were given up: seen, tried again, or put away. `count`: of every stage; `mark`: another one when any came or went. */
export function DeadLetters({ count, mark }: { count: number; mark: string }) {
  const [stage, setStage] = useState<"" | Stage>("");
  const [said, setSaid] = useState<Said | null>(null);
  const [asked, setAsked] = useState<Letter | null>(null);
  const { found, renew } = useLetters(stage, mark);
  const retry = useMutation({
    mutationFn: async ({ id }: Letter) => {
      const { data } = await api.POST("/v1/dead-letters/{letter}/retry", { params: { path: { letter: id } } });
      const good = data?.outcome === "OK";
      return { id, words: `${good ? "" : "Not retried: "}${data?.detail ?? ""}`, good };
    },
    onSuccess: setSaid,
    onError: (error, { id }) => setSaid({ id, words: `Not retried: ${error.message}`, good: false }),
    onSettled: renew,
  });
  const discard = useMutation({
    mutationFn: async ({ id }: Letter) => {
      await api.DELETE("/v1/dead-letters/{letter}", { params: { path: { letter: id } } });
    },
    onSuccess: (_, { job }) => setSaid({ id: "", words: `${job} is put away for good`, good: true }),
    onError: (error, { id }) => setSaid({ id, words: `Not discarded: ${error.message}`, good: false }),
    onSettled: () => {
      setAsked(null);
      return renew();
    },
  });
  const letters = found.data?.pages.flatMap((page) => page.letters) ?? [];
  const lost = said !== null && !letters.some(({ id }) => id === said.id);
  return (
    <Card
      title={
        <>
          Dead letters
          {count ? (
            <span className="ml-2 font-normal text-muted tabular-nums">{count.toLocaleString("en")}</span>
          ) : null}
        </>
      }
      aside={
        <Select label="Stage" hideLabel value={stage} onChange={(event) => setStage(event.target.value as "" | Stage)}>
          <option value="">Every stage</option>
          {Object.entries(STAGES).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
      }
    >
      <p role="status" className={said ? `px-4 pt-3 text-sm ${said.good ? "text-good" : "text-bad"}` : "sr-only"}>
        {said && lost ? said.words : null}
      </p>
      {found.isPending ? <Loading lines={3} /> : null}
      {found.isError && letters.length === 0 ? (
        <Failed title="The dead letters can't be read" retry={() => void found.refetch()}>
          {found.error.message}
        </Failed>
      ) : null}
      {found.isSuccess && letters.length === 0 ? (
        <Empty title="None">A job that failed for good, or came too late, stands here for a day.</Empty>
      ) : null}
      <ul className="divide-y divide-line">
        {letters.map((letter) => (
          <Row
            key={letter.id}
            letter={letter}
            said={said?.id === letter.id ? said : null}
            busy={retry.isPending || discard.isPending}
            onRetry={() => retry.mutate(letter)}
            onDiscard={() => setAsked(letter)}
          />
        ))}
      </ul>
      {found.hasNextPage ? (
        <div className="border-t border-line p-3 text-center">
          <Button size="small" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            Show more
          </Button>
        </div>
      ) : null}
      <Dialog open={asked !== null} title="Discard this job?" onClose={() => setAsked(null)}>
        {asked ? (
          <div className="flex flex-col gap-4 text-sm">
            <p>
              <span className="font-mono text-xs">{asked.job}</span> of {STAGES[asked.stage].toLowerCase()} is deleted,
              and can't be tried again. What its session's log says of it stays.
            </p>
            <div className="flex justify-end gap-2">
              <Button onClick={() => setAsked(null)}>Keep it</Button>
              <Button tone="danger" disabled={discard.isPending} onClick={() => discard.mutate(asked)}>
                Discard
              </Button>
            </div>
          </div>
        ) : null}
      </Dialog>
    </Card>
  );
}

function Row({
  letter,
  said,
  busy,
  onRetry,
  onDiscard,
}: {
  letter: Letter;
  said: Said | null;
  busy: boolean;
  onRetry: () => void;
  onDiscard: () => void;
}) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
      <Chip>{letter.stage}</Chip>
      <div className="min-w-48 flex-1">
        <p className="break-words">{letter.reason || "no reason was given"}</p>
        <p className="mt-0.5 flex flex-wrap gap-x-2 text-xs text-muted">
          <Link href={`/sessions/${encodeURIComponent(letter.session)}`} className="max-w-60 truncate text-accent">
            {letter.session}
          </Link>
          <span className="max-w-60 truncate font-mono">{letter.job}</span>
          <span>attempt {letter.attempt}</span>
          <span>{moment(letter.at)}</span>
        </p>
        {said ? (
          <p role="status" className="mt-1 text-xs text-bad">
            {said.words}
          </p>
        ) : null}
      </div>
      <div className="flex gap-2">
        <Button
          size="small"
          disabled={busy || !letter.retryable}
          title={letter.retryable ? undefined : "An older version filed it without the job itself"}
          onClick={onRetry}
        >
          Retry
        </Button>
        <Button size="small" tone="quiet" disabled={busy} onClick={onDiscard}>
          Discard
        </Button>
      </div>
    </li>
  );
}
