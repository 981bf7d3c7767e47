import { Mic, MicOff, PhoneOff } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import type { Call, Snapshot } from "@/call/call";
import { readingOf } from "@/call/model/reading";
import { Ring } from "@/call/ui/ring";
import { stateInWords } from "@/call/ui/status";
import { IconButton } from "@/ui/button";

interface PictureApi {
  requestWindow(options: { width: number; height: number }): Promise<Window>;
}

declare global {
  interface Window {
    documentPictureInPicture?: PictureApi;
  }
}

/** A small window of the call above all others: how to open it (null where it can't be), and what is to be rendered. */
export function usePicture(call: Call, snapshot: Snapshot): { open: (() => void) | null; portal: ReactNode } {
  const [opened, setOpened] = useState<Window | null>(null);
  const over = snapshot.call.link.phase === "over";
  useEffect(() => {
    if (over) opened?.close();
  }, [over, opened]);
  useEffect(() => () => opened?.close(), [opened]);
  const api = window.documentPictureInPicture;
  const video = snapshot.tiles.find((tile) => !tile.mine) ?? snapshot.tiles[0];
  const open = async () => {
    if (api === undefined) {
      await pictureOf(video?.track.id);
      return;
    }
    const picture = await api.requestWindow({ width: 320, height: 300 });
    dress(picture.document);
    picture.addEventListener("pagehide", () => setOpened((now) => (now === picture ? null : now)));
    setOpened(picture);
  };
  const may = api !== undefined || (document.pictureInPictureEnabled && video !== undefined);
  const portal = opened === null ? null : createPortal(<Small call={call} snapshot={snapshot} />, opened.document.body);
  return { open: may ? () => void open().catch(() => {}) : null, portal };
}

/** Where browsers float videos only: the one with this track. */
async function pictureOf(track: string | undefined): Promise<void> {
  for (const video of document.querySelectorAll("video")) {
    const stream = video.srcObject;
    if (stream instanceof MediaStream && stream.getTracks().some((one) => one.id === track)) {
      await video.requestPictureInPicture();
      return;
    }
  }
}

/** The same style sheets and colours as the page. */
function dress(target: Document): void {
  target.documentElement.lang = document.documentElement.lang;
  target.title = "Antiphon";
  const { theme } = document.documentElement.dataset;
  if (theme !== undefined) target.documentElement.dataset.theme = theme;
  for (const style of document.querySelectorAll("link[rel=stylesheet], style"))
    target.head.append(style.cloneNode(true));
}

function Small({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const last = snapshot.call.transcript.lines.findLast((line) => line.kind !== "file");
  const words = last?.kind === "agent" ? readingOf(last, call.transport.voice.position()).said : last?.text;
  const { muted, pushToTalk } = snapshot.mine;
  return (
    <div className="flex h-dvh flex-col items-center justify-between gap-2 bg-paper p-3 text-ink">
      <div className="flex min-h-0 flex-1 flex-col items-center justify-center">
        <Ring voice={call.transport.voice} state={snapshot.call.agent} small />
        <p className="text-xs text-muted">{stateInWords(snapshot)}</p>
      </div>
      <p className="line-clamp-3 w-full text-center text-sm">{words}</p>
      <div className="flex gap-2">
        {pushToTalk ? null : (
          <IconButton
            label={muted ? "Unmute" : "Mute"}
            tone="plain"
            pressed={muted}
            onClick={() => call.setMuted(!muted)}
          >
            {muted ? <MicOff aria-hidden className="size-4" /> : <Mic aria-hidden className="size-4" />}
          </IconButton>
        )}
        <IconButton label="Leave" tone="danger" onClick={() => void call.leave()}>
          <PhoneOff aria-hidden className="size-4" />
        </IconButton>
      </div>
    </div>
  );
}
