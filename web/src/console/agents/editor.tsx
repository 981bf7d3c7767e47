import { AudioLines } from "lucide-react";
import { useEffect, useId, useReducer, useRef } from "react";
import { Link } from "wouter";
import { may, useMe } from "@/access/me";
import { addressOf, talkTo } from "@/call/asked";
import { CodeArea } from "@/console/agents/code-area";
import { Conflict } from "@/console/agents/conflict";
import { useDraft, useProblems, useSave } from "@/console/agents/data";
import {
  type AgentText,
  begin,
  beginOf,
  byLine,
  drop,
  edit,
  flatten,
  isChanged,
  keep,
  kept,
} from "@/console/agents/editing";
import { Problems } from "@/console/agents/problems";
import { Button } from "@/ui/button";
import { Chip } from "@/ui/surface";

/** One agent's file: read, written, checked as one types, tried in a call, saved. `file`: null for a new one. */
export function Editor({ name, file, onGone }: { name: string; file: AgentText | null; onGone?: () => void }) {
  const [now, act] = useReducer(edit, null, () => kept(name) ?? begin(file));
  const admin = may(useMe(), "admin");
  const area = useRef<HTMLTextAreaElement>(null);
  const checked = useProblems(now.text);
  const save = useSave(name);
  const draft = useDraft();
  const list = useId();
  const changed = isChanged(now);
  const problems = checked.data?.problems;
  const faultless = problems?.length === 0;
  const locked = file?.locked ?? "";

  useEffect(() => {
    act(file ? { type: "read", file } : { type: "gone" });
  }, [file]);
  useEffect(() => keep(name, now), [name, now]);
  useEffect(() => {
    if (!changed) return;
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", stay);
    return () => window.removeEventListener("beforeunload", stay);
  }, [changed]);

  async function onSave() {
    act({ type: "sent" });
    const outcome = await save.mutateAsync({ toml: now.text, etag: now.base?.etag ?? null }).catch(() => null);
    if (outcome === null) return; // the mutation says why
    if ("saved" in outcome) act({ type: "saved", file: outcome.saved });
    else act({ type: "refused", file: outcome.refused });
  }
  async function onTry() {
    const agent = await draft.mutateAsync(now.text).catch(() => "");
    if (agent) talkTo(agent);
  }
  function onLine(line: number) {
    const at = beginOf(now.text, line);
    area.current?.focus();
    area.current?.setSelectionRange(at, at);
  }
  function onRevert() {
    if (file === null) {
      drop(name);
      onGone?.();
    } else act({ type: "reverted" });
  }

  const failed = save.error ?? draft.error;
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="mr-auto min-w-0 truncate text-lg font-semibold">{name}</h2>
        {changed ? <Chip mood="warn">Not saved</Chip> : null}
        {admin && changed ? (
          <>
            <Button tone="quiet" onClick={onRevert}>
              Drop changes
            </Button>
            <Button
              icon={<AudioLines aria-hidden className="size-4" />}
              disabled={!faultless || draft.isPending}
              onClick={() => void onTry()}
            >
              Try in a call
            </Button>
          </>
        ) : null}
        {changed ? null : (
          <Link
            href={addressOf(name)}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return; // into another tab
              event.preventDefault();
              talkTo(name);
            }}
            className="inline-flex h-10 items-center gap-2 rounded-md border border-line bg-surface px-4 text-sm font-medium hover:border-strong-line"
          >
            <AudioLines aria-hidden className="size-4" />
            Talk to it
          </Link>
        )}
        {admin && !locked ? (
          <Button tone="primary" disabled={!changed || !faultless || save.isPending} onClick={() => void onSave()}>
            {save.isPending ? "Saving" : "Save"}
          </Button>
        ) : null}
      </div>
      {save.data && "saved" in save.data && !changed ? (
        <p role="status" className="text-sm text-muted">
          {save.data.saved.reach}
        </p>
      ) : null}
      {file?.note ? <p className="text-sm text-muted">{file.note}</p> : null}
      {locked ? <p className="text-sm text-muted">It can be tried, but not saved: {locked}.</p> : null}
      {admin ? null : <p className="text-sm text-muted">Changing agents is for the role admin.</p>}
      {failed ? (
        <p role="alert" className="rounded-md bg-bad-wash px-4 py-3 text-sm whitespace-pre-line text-bad">
          {failed.message}
        </p>
      ) : null}
      <Conflict conflict={now.conflict} onChoose={act} />
      <div className="@5xl:mr-80">
        <CodeArea
          label={`The file of ${name}`}
          text={now.text}
          problems={byLine(problems ?? [])}
          readOnly={!admin}
          area={area}
          describedBy={list}
          onChange={(text) => act({ type: "typed", text })}
        />
      </div>
      <Problems id={list} problems={problems} failed={checked.error?.message ?? ""} onLine={onLine} />
      {checked.data?.spec ? <Everything spec={checked.data.spec} /> : null}
    </div>
  );
}

function Everything({ spec }: { spec: unknown }) {
  return (
    <details className="rounded-md border border-line">
      <summary className="px-4 py-2.5 text-sm font-medium">All settings, with their defaults</summary>
      <dl className="border-t border-line px-4 py-2 text-xs">
        {flatten(spec).map(([path, value]) => (
          <div key={path} className="grid gap-x-4 py-1 sm:grid-cols-[15rem_minmax(0,1fr)]">
            <dt className="font-mono text-muted">{path}</dt>
            <dd className="font-mono break-words">{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
