import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api } from "@/api/client";
import { readAgent } from "@/console/agents/data";
import { ChangesForm } from "@/console/replay/changes-form";
import { type Draft, draftOf, type Spec, wishOf } from "@/console/replay/draft";
import { JobStatus, Unread } from "@/console/replay/job-status";
import { type Changes, type Made, useAskFor } from "@/console/replay/jobs";
import { callAt, comparison } from "@/console/replay/links";
import { Told } from "@/console/replay/told";
import { stateAt } from "@/console/session/data/session";
import { useAgentNames } from "@/console/shared/agents";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Failed, Loading } from "@/ui/state";

interface Props {
  session: string;
  /** What was before this turn is kept; null: all is done again. */
  turn: number | null;
  onClose: () => void;
}

/** The call again from a turn on, with something changed: as a call of its own. */
export default function ForkDialog({ session, turn, onClose }: Props) {
  const [job, setJob] = useState("");
  const recorded = useQuery({
    queryKey: ["recorded-agent", session],
    queryFn: async ({ signal }) => (await stateAt(session, undefined, signal)).agent,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Dialog open title={turn === null ? "Replay the whole call" : `Fork from turn ${turn}`} onClose={onClose}>
      {job ? (
        <JobStatus id={job} title="The fork is being made">
          {({ result }) => (result?.kind === "fork" ? <There original={session} made={result} /> : <Unread />)}
        </JobStatus>
      ) : recorded.data ? (
        <Editor session={session} turn={turn} spec={recorded.data} onAsked={setJob} />
      ) : recorded.isError ? (
        <Failed title="The agent of this call can’t be read" retry={() => void recorded.refetch()}>
          {recorded.error.message}
        </Failed>
      ) : (
        <Loading lines={6} label="Reading the agent of this call" />
      )}
    </Dialog>
  );
}

interface EditorProps {
  session: string;
  turn: number | null;
  spec: Spec;
  onAsked: (job: string) => void;
}

function Editor({ session, turn, spec, onAsked }: EditorProps) {
  const agents = useAgentNames();
  const [before, setBefore] = useState(() => draftOf(spec));
  const [draft, setDraft] = useState(before);
  const [unread, setUnread] = useState("");
  const wish = wishOf(before, draft);
  const asked = useAskFor((body: Changes) =>
    api.POST("/v1/sessions/{session}/forks", { params: { path: { session } }, body: { ...body, from_turn: turn } }),
  );
  const ready = wish.told.length > 0 && Object.keys(wish.problems).length === 0 && !asked.isPending;

  /** Another agent: its settings are what is changed then. */
  const change = async (next: Draft) => {
    if (next.agent === draft.agent) return setDraft(next);
    setUnread("");
    try {
      const other = next.agent ? (await readAgent(next.agent)).spec : spec;
      if (other === null) throw new Error(`The file of ${next.agent} is wrong: see Agents.`);
      const drawn = draftOf(other, next.agent);
      setBefore(drawn);
      setDraft(drawn);
    } catch (error) {
      setUnread(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) asked.mutate(wish.changes, { onSuccess: ({ id }) => onAsked(id) });
      }}
    >
      <p className="text-sm text-muted">
        {turn === null
          ? "The call is replayed from its beginning, as a call of its own. This one stays as it is."
          : `What was before turn ${turn} is kept (where it began over the agent: what was before the turn it spoke over), and the rest replayed, as a call of its own. This one stays as it is.`}
      </p>
      <ChangesForm draft={draft} onChange={(next) => void change(next)} agents={agents} problems={wish.problems} />
      <div className="sticky bottom-0 z-10 -mx-5 -mb-5 flex flex-col gap-3 border-t border-line bg-surface px-5 py-3">
        <Told wish={wish} />
        {asked.error || unread ? (
          <p role="alert" className="text-sm whitespace-pre-wrap text-bad">
            {unread || asked.error?.message}
          </p>
        ) : null}
        <Button type="submit" tone="primary" className="self-end" disabled={!ready}>
          {turn === null ? "Replay it" : `Fork from turn ${turn}`}
        </Button>
      </div>
    </form>
  );
}

function There({ original, made }: { original: string; made: Made }) {
  return (
    <>
      <p className="text-sm">
        The fork is there: <span className="break-all text-muted">{made.session}</span>
      </p>
      {made.notes.length ? (
        <ul className="flex list-disc flex-col gap-1 pl-5 text-xs text-muted">
          {made.notes.slice(0, 8).map((note) => (
            <li key={note}>{note}</li>
          ))}
          {made.notes.length > 8 ? <li>and {made.notes.length - 8} more</li> : null}
        </ul>
      ) : null}
      <div className="flex flex-wrap justify-end gap-2 text-sm font-medium">
        <Link
          href={callAt(made.session)}
          className="inline-flex h-10 items-center rounded-md border border-line px-4 hover:border-strong-line"
        >
          Open the fork
        </Link>
        <Link
          href={comparison(original, made.session)}
          className="inline-flex h-10 items-center rounded-md bg-accent px-4 text-accent-ink hover:brightness-110"
        >
          Compare
        </Link>
      </div>
    </>
  );
}
