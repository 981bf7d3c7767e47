import clsx from "clsx";
import { useEffect, useRef } from "react";
import type { Call, Snapshot } from "@/call/call";
import type { Tile } from "@/call/transport/transport";
import { AgentSlot } from "@/call/ui/agent-slot";
import { stateInWords } from "@/call/ui/status";

/** The agent, and whoever shows themselves or their screen: a grid where there is room for one, else a row to be moved. */
export function Stage({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { tiles } = snapshot;
  const alone = tiles.length === 0;
  return (
    <div
      className={clsx(
        "min-h-0 flex-1 gap-3 p-3",
        alone
          ? "grid grid-rows-[minmax(0,1fr)] place-items-center"
          : "flex overflow-x-auto lg:grid lg:auto-rows-fr lg:grid-cols-[repeat(auto-fit,minmax(min(100%,15rem),1fr))]",
      )}
    >
      <figure
        className={clsx(
          "flex min-h-0 flex-col items-center justify-center gap-2 lg:gap-4",
          alone ? "size-full min-w-0" : "w-40 shrink-0 rounded-lg bg-raised py-2 lg:w-full lg:min-w-0 lg:py-4",
        )}
      >
        <AgentSlot call={call} state={snapshot.call.agent} small={!alone} />
        <figcaption data-agent-state={snapshot.call.agent} className="shrink-0 text-sm font-medium text-muted">
          {stateInWords(snapshot)}
        </figcaption>
      </figure>
      {tiles.map((tile) => (
        <VideoTile key={tile.id} tile={tile} />
      ))}
    </div>
  );
}

function VideoTile({ tile }: { tile: Tile }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current !== null) video.current.srcObject = new MediaStream([tile.track]);
  }, [tile.track]);
  const screen = tile.source === "screen";
  return (
    <figure
      className={clsx(
        "relative aspect-video shrink-0 overflow-hidden rounded-lg bg-raised lg:aspect-auto lg:min-h-40",
        screen && "lg:col-span-2 lg:row-span-2",
      )}
    >
      <video
        ref={video}
        autoPlay
        playsInline
        muted
        className={clsx(
          "absolute inset-0 size-full",
          screen ? "object-contain" : "object-cover",
          tile.mine && !screen && "-scale-x-100",
        )}
      />
      <figcaption className="absolute bottom-2 left-2 max-w-[calc(100%-1rem)] truncate rounded-sm bg-surface px-2 py-0.5 text-xs text-ink">
        {tile.name}
        {screen ? ", screen" : ""}
      </figcaption>
    </figure>
  );
}
