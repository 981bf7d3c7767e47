import { useQueryClient } from "@tanstack/react-query";
import clsx from "clsx";
import { FileUp } from "lucide-react";
import { type DragEvent, useEffect, useId, useRef, useState } from "react";
import { Link } from "wouter";
import { api } from "@/api/client";
import type { components } from "@/api/schema";
import { JobStatus, Unread } from "@/console/replay/job-status";
import { type Made, useAskFor } from "@/console/replay/jobs";
import { callAt } from "@/console/replay/links";
import { type Chosen, chosenOf, isExport, upload } from "@/console/sessions/upload";
import { messageOf } from "@/format";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextField } from "@/ui/field";

/** What the API takes; browsers read a pattern with the flag v. */
const NAME = "[A-Za-z0-9][A-Za-z0-9._~\\-]*";
const NONE: Chosen = { call: null, captions: null, others: [] };

/** A call from elsewhere: a file is dropped, sent, and taken in as a session. */
export default function ImportDialog({ onClose }: { onClose: () => void }) {
  const [chosen, setChosen] = useState(NONE);
  const [swap, setSwap] = useState(false);
  const [salvage, setSalvage] = useState(false);
  const [voice, setVoice] = useState("");
  const [called, setCalled] = useState("");
  const [share, setShare] = useState<number | null>(null);
  const [failed, setFailed] = useState("");
  const [job, setJob] = useState("");
  const stopping = useRef(new AbortController());
  const asked = useAskFor((body: components["schemas"]["ImportAsk"]) => api.POST("/v1/imports", { body }));
  const { call, captions, others } = chosen;
  const recording = call !== null && !isExport(call);

  const send = async (file: File) => {
    stopping.current = new AbortController();
    setFailed("");
    setShare(0);
    try {
      const { signal } = stopping.current;
      const words = captions && recording ? await upload(captions, () => {}, signal) : null;
      const kept = await upload(file, setShare, signal);
      const { id } = await asked.mutateAsync({
        upload: kept.upload,
        captions: words?.upload ?? null,
        name: file.name.slice(0, 200),
        called: called.trim(),
        agent_voice: recording ? voice.trim() : "",
        swap: recording && swap,
        salvage: !recording && salvage,
      });
      setJob(id);
    } catch (error) {
      setFailed(messageOf(error));
    }
    setShare(null);
  };
  const close = () => {
    stopping.current.abort();
    onClose();
  };
  return (
    <Dialog open title="Import a call" onClose={close}>
      {job ? (
        <JobStatus id={job} title="The call is being taken in">
          {({ result }) => (result?.kind === "import" ? <There made={result} /> : <Unread />)}
        </JobStatus>
      ) : (
        <form
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            if (call !== null && share === null) void send(call);
          }}
        >
          <Drop chosen={chosen} onFiles={(files) => setChosen(chosenOf(files))} />
          {others.length ? (
            <p role="alert" className="text-sm text-bad">
              {others.slice(0, 3).join(", ")}: one call at a time, as .zip, .wav, .flac, .ogg or .mp3; captions as .vtt
              or .srt.
            </p>
          ) : null}
          {call !== null ? (
            <TextField
              label="Name of the session"
              hint="As it was, or after the file, when left empty."
              maxLength={100}
              pattern={NAME}
              title="Letters, digits and . _ ~ -, beginning with a letter or a digit"
              value={called}
              onChange={(event) => setCalled(event.target.value)}
            />
          ) : null}
          {call !== null && !recording ? (
            <label className="flex items-start gap-2 text-sm">
              <input
                type="checkbox"
                className="mt-1"
                checked={salvage}
                onChange={(event) => setSalvage(event.target.checked)}
              />
              <span>
                Salvage
                <span className="block text-xs text-muted">
                  Of a file that is cut off or damaged, take what is sound, up to there. Without it such a one is
                  refused, and said where it is broken.
                </span>
              </span>
            </label>
          ) : null}
          {recording ? (
            <>
              <label className="flex items-center gap-2 text-sm">
                <input type="checkbox" checked={swap} onChange={(event) => setSwap(event.target.checked)} />
                The agent is on the left
              </label>
              {captions ? (
                <TextField
                  label="What captions call the agent"
                  hint="Where one channel has everybody; “agent” when left empty."
                  maxLength={100}
                  value={voice}
                  onChange={(event) => setVoice(event.target.value)}
                />
              ) : null}
            </>
          ) : null}
          {failed ? (
            <p role="alert" className="text-sm text-bad">
              {failed}
            </p>
          ) : null}
          {share === null ? null : <Sent share={share} />}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" tone="primary" disabled={call === null || share !== null}>
              Import
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function Drop({ chosen, onFiles }: { chosen: Chosen; onFiles: (files: File[]) => void }) {
  const id = useId();
  const [over, setOver] = useState(false);
  const { call, captions } = chosen;
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles([...event.dataTransfer.files]);
  };
  return (
    <label
      htmlFor={id}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={clsx(
        "flex cursor-pointer flex-col items-center gap-1 rounded-md border-2 border-dashed px-4 py-8 text-center text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent",
        over ? "border-accent bg-accent-wash" : "border-strong-line hover:bg-raised",
      )}
    >
      <FileUp aria-hidden className="size-6 text-muted" />
      {call || captions ? (
        <>
          <span className="font-medium break-all">{call?.name ?? "Its recording is missing"}</span>
          {call ? <span className="text-xs text-muted">{sizeOf(call.size)}</span> : null}
          {captions ? <span className="text-xs break-all text-muted">with {captions.name}</span> : null}
        </>
      ) : (
        <>
          <span className="font-medium">Drop a file here, or choose one</span>
          <span className="text-xs text-muted">
            A .zip that was exported, or the recording of a call held elsewhere (.wav, .flac, .ogg, .mp3) and its
            captions (.vtt, .srt)
          </span>
        </>
      )}
      <input
        id={id}
        type="file"
        multiple
        accept=".zip,.wav,.flac,.ogg,.opus,.mp3,.vtt,.srt"
        className="sr-only"
        onChange={(event) => onFiles([...(event.target.files ?? [])])}
      />
    </label>
  );
}

function sizeOf(bytes: number): string {
  return bytes < 1 << 20 ? `${Math.max(1, Math.round(bytes / 1024))} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function Sent({ share }: { share: number }) {
  const percent = Math.round(share * 100);
  return (
    <div className="flex flex-col gap-1">
      <div
        role="progressbar"
        aria-label="The file is sent"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        className="h-1.5 overflow-hidden rounded-full bg-raised"
      >
        <div className="h-full rounded-full bg-accent" style={{ width: `${Math.max(percent, 2)}%` }} />
      </div>
      <p className="text-xs text-muted tabular-nums">{percent} % sent</p>
    </div>
  );
}

function There({ made }: { made: Made }) {
  const queries = useQueryClient();
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ["sessions"] }); // it was never in the log, of which the list is told
  }, [queries]);
  return (
    <>
      {made.notes.length ? (
        <ul className="list-disc pl-5 text-xs text-muted">
          {made.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      ) : null}
      <Link href={callAt(made.session)} className="self-end text-sm font-medium break-all text-accent hover:underline">
        Open {made.session}
      </Link>
    </>
  );
}
