import { useState } from "react";
import { Link } from "wouter";
import { api } from "@/api/client";
import { JobStatus, Unread } from "@/console/replay/job-status";
import { useAskFor } from "@/console/replay/jobs";
import { Proof } from "@/console/replay/proof";
import type { SessionRow } from "@/console/session/model/shapes";
import { callers } from "@/console/shared/row";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Select, TextField } from "@/ui/field";

const WORD = "delete";

/** The call for good, or all there is of somebody who is in it: once the word is typed. */
export default function DeleteDialog({ row, onClose }: { row: SessionRow; onClose: () => void }) {
  const [person, setPerson] = useState("");
  const [typed, setTyped] = useState("");
  const [job, setJob] = useState("");
  const people = row.participants.filter(({ kind }) => kind !== "agent");
  const one = useAskFor((session: string) => api.DELETE("/v1/sessions/{session}", { params: { path: { session } } }));
  const all = useAskFor((whom: string) => api.POST("/v1/erasures", { body: { person: whom } }));
  const error = one.error ?? all.error;
  const sure = typed.trim().toLowerCase() === WORD && !one.isPending && !all.isPending;
  const done = { onSuccess: ({ id }: { id: string }) => setJob(id) };
  return (
    <Dialog open title={job ? "Deleted for good" : "Delete for good"} onClose={onClose}>
      {job ? (
        <JobStatus id={job} title="It is being deleted">
          {({ result }) => (
            <>
              {result?.kind === "removal" || result?.kind === "erasure" ? <Proof removed={result} /> : <Unread />}
              <Link href="/sessions" className="self-end text-sm font-medium text-accent hover:underline">
                To the sessions
              </Link>
            </>
          )}
        </JobStatus>
      ) : (
        <form
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            if (sure && person) all.mutate(person, done);
            else if (sure) one.mutate(row.session, done);
          }}
        >
          <Select label="What is deleted" value={person} onChange={(event) => setPerson(event.target.value)}>
            <option value="">This call with {callers(row)}</option>
            {people.map(({ identity, name }) => (
              <option key={identity} value={identity}>
                Every call of {name || identity}
              </option>
            ))}
          </Select>
          <p className="text-sm">
            {person
              ? "Every call that person is in goes whole, with what others said in it, and so does every fork of one: events, sound, everything. It can’t be undone."
              : "Its events and its sound go, here and in the archive. It can’t be undone. Forks that were made of it stay."}
          </p>
          <TextField
            label={`Type “${WORD}” to be sure`}
            autoComplete="off"
            spellCheck={false}
            error={error?.message}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>Keep it</Button>
            <Button type="submit" tone="danger" disabled={!sure}>
              Delete for good
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
