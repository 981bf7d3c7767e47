import { AudioLines, FileArchive, GitFork, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useMe } from "@/access/me";
import { addressOf } from "@/console/session/data/read";
import { useDownload } from "@/console/session/keep/download";
import type { SessionRow } from "@/console/session/model/shapes";
import { Button } from "@/ui/button";

const ForkDialog = lazy(() => import("@/console/replay/fork-dialog"));
const DeleteDialog = lazy(() => import("@/console/session/keep/delete-dialog"));

/** What can be done with a call that is over: replayed, taken out, deleted. */
export function Over({ row }: { row: SessionRow }) {
  const me = useMe();
  const [open, setOpen] = useState<"fork" | "delete" | null>(null);
  const download = useDownload();
  const close = () => setOpen(null);
  const take = (what: string, ending: string) => () =>
    download.mutate({ path: addressOf(row.session, what), name: `${row.session}.${ending}` });
  const icon = "size-4";
  return (
    <>
      {me.features.replay ? (
        <Button size="small" icon={<GitFork aria-hidden className={icon} />} onClick={() => setOpen("fork")}>
          Replay
        </Button>
      ) : null}
      <Button
        size="small"
        icon={<FileArchive aria-hidden className={icon} />}
        disabled={download.isPending}
        title="Events, sound and state in one file, which can be imported elsewhere"
        onClick={take("/export", "zip")}
      >
        Export
      </Button>
      <Button
        size="small"
        icon={<AudioLines aria-hidden className={icon} />}
        disabled={download.isPending}
        title="Its sound as one stereo file: callers left, agent right"
        onClick={take("/recording", "opus")}
      >
        Recording
      </Button>
      {me.features.replay ? (
        <Button size="small" icon={<Trash2 aria-hidden className={icon} />} onClick={() => setOpen("delete")}>
          Delete
        </Button>
      ) : null}
      <p role="status" className="basis-full text-right text-xs text-muted empty:hidden">
        {download.isPending ? "The file is being made …" : ""}
        {download.isError ? <span className="text-bad">{download.error.message}</span> : ""}
      </p>
      <Suspense>
        {open === "fork" ? <ForkDialog session={row.session} turn={null} onClose={close} /> : null}
        {open === "delete" ? <DeleteDialog row={row} onClose={close} /> : null}
      </Suspense>
    </>
  );
}
