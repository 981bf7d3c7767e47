import clsx from "clsx";
import { useEffect, useRef } from "react";
import type { Call, Snapshot } from "@/call/call";
import type { Tile } from "@/call/transport/transport";
import { AgentSlot } from "@/call/ui/agent-slot";
import { stateInWords } from "@/call/ui/status";

/** The agent, and whoever shows themselves or their screen. */
export function Stage({ call, snapshot }: { call: Call; snapshot: Snapshot }) {
  const { tiles } = snapshot;
  const alone = tiles.length === 0;
  return (
    <div
      className={clsx(
        "grid min-h-0 flex-1 gap-3 p-3",
        alone ? "place-items-center" : "auto-rows-fr grid-cols-[repeat(auto-fit,minmax(min(100%,15rem),1fr))]",
      )}
    >
      <figure
        className={clsx(
          "flex size-full min-h-0 min-w-0 flex-col items-center justify-center gap-2 lg:gap-4",
          alone || "rounded-lg bg-raised py-4",
        )}
      >
        <AgentSlot call={call} state={snapshot.call.agent} small={!alone} />
        <figcaption data-agent-state={snapshot.call.agent} className="text-sm font-medium text-muted">
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
        "relative min-h-40 overflow-hidden rounded-lg bg-raised",
        screen && "sm:col-span-2 sm:row-span-2",
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
