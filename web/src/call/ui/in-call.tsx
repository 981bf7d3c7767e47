import { useState, useSyncExternalStore } from "react";
import { may, useMe } from "@/access/me";
import type { Call } from "@/call/call";
import { Announcer } from "@/call/ui/announcer";
import { Composer } from "@/call/ui/composer";
import { Controls } from "@/call/ui/controls";
import { Ended } from "@/call/ui/ended";
import { People } from "@/call/ui/people";
import { usePicture } from "@/call/ui/picture";
import { Settings } from "@/call/ui/settings";
import { Stage } from "@/call/ui/stage";
import { CallHead, Notices } from "@/call/ui/status";
import { TranscriptView } from "@/call/ui/transcript";
import { Dialog } from "@/ui/dialog";
import { useHeadingOf } from "@/ui/heading";

/** A call: the agent and the others on one side, words on the other, below what one can do; one above the other where it is narrow. */
export function InCall({ call }: { call: Call }) {
  const snapshot = useSyncExternalStore(call.subscribe, call.getSnapshot);
  const [open, setOpen] = useState<"people" | "settings" | null>(null);
  const picture = usePicture(call, snapshot);
  const operator = may(useMe(), "operator");
  const over = snapshot.call.link.phase === "over";
  const close = () => setOpen(null);
  useHeadingOf(over ? "over" : "call");
  return (
    <div
      data-fills
      className="-mb-6 grid min-h-0 flex-[1_1_0] grid-rows-[minmax(0,2fr)_minmax(0,3fr)_auto] short:grid-cols-[minmax(0,2fr)_minmax(0,3fr)] short:grid-rows-[minmax(0,1fr)_auto] md:mb-0 lg:grid-cols-[minmax(0,1fr)_minmax(20rem,30rem)] lg:grid-rows-[minmax(0,1fr)_auto]"
    >
      <h1 className="sr-only">Call</h1>
      <div className="flex min-h-0 flex-col">
        <CallHead call={call} snapshot={snapshot} mayOpen={operator} />
        <div className="px-3 empty:hidden">
          <Notices snapshot={snapshot} onUnblock={() => void call.transport.unblock()} />
        </div>
        {over ? (
          <Ended call={call} snapshot={snapshot} mayOpen={operator} />
        ) : (
          <Stage call={call} snapshot={snapshot} />
        )}
      </div>
      <aside
        aria-label="Conversation"
        className="flex min-h-0 flex-col border-t border-line bg-surface short:border-t-0 short:border-l lg:row-span-2 lg:border-t-0 lg:border-l"
      >
        <TranscriptView call={call} snapshot={snapshot} />
        {over ? null : <Composer call={call} focus={snapshot.mine.microphone === "off"} />}
      </aside>
      <div className="border-t border-line bg-paper empty:hidden short:col-span-2 lg:border-t-0">
        {over ? null : (
          <Controls
            call={call}
            snapshot={snapshot}
            onPeople={() => setOpen("people")}
            onSettings={() => setOpen("settings")}
            onPicture={picture.open}
          />
        )}
      </div>
      <Announcer snapshot={snapshot} />
      {picture.portal}
      <Dialog open={open === "people"} title="People" onClose={close}>
        <People call={call} snapshot={snapshot} mayRemove={operator} />
      </Dialog>
      <Dialog open={open === "settings"} title="Devices" onClose={close}>
        <Settings call={call} snapshot={snapshot} />
      </Dialog>
    </div>
  );
}
