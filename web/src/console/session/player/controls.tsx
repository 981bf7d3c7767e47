import { ChevronFirst, ChevronLast, Maximize2, Pause, Play, Radio, ZoomIn, ZoomOut } from "lucide-react";
import { CopyLink } from "@/console/session/copy-link";
import { clockTime } from "@/console/session/model/clock-time";
import { type Clock, useClock } from "@/console/session/player/clock";
import { RATES } from "@/console/session/player/keys";
import { Button, IconButton } from "@/ui/button";

interface Props {
  clock: Clock;
  live: boolean;
  enlarged: boolean;
  onZoom: (factor: number | null) => void;
  onTurn: (step: 1 | -1) => void;
  link: () => string;
}

/** Play, seek by turns, speed, how much is in view, and a link to this moment. */
export function Controls({ clock, live, enlarged, onZoom, onTurn, link }: Props) {
  const playing = useClock(clock, (one) => one.playing);
  const following = useClock(clock, (one) => one.following);
  const Icon = playing ? Pause : Play;
  return (
    <div className="flex flex-wrap items-center gap-x-1 gap-y-2">
      <IconButton label="Turn before ([)" onClick={() => onTurn(-1)}>
        <ChevronFirst aria-hidden className="size-4" />
      </IconButton>
      <IconButton label={playing ? "Pause (space)" : "Play (space)"} tone="primary" onClick={() => clock.toggle()}>
        <Icon aria-hidden className="size-4" />
      </IconButton>
      <IconButton label="Next turn (])" onClick={() => onTurn(1)}>
        <ChevronLast aria-hidden className="size-4" />
      </IconButton>
      <Times clock={clock} />
      <Rate clock={clock} />
      {live ? (
        <Button
          size="small"
          tone={following ? "primary" : "plain"}
          icon={<Radio aria-hidden className="size-4" />}
          aria-pressed={following}
          onClick={() => clock.follow()}
        >
          {following ? "Live" : "Back to live"}
        </Button>
      ) : null}
      <div className="ml-auto flex items-center gap-1">
        <IconButton label="Enlarge (+)" onClick={() => onZoom(0.5)}>
          <ZoomIn aria-hidden className="size-4" />
        </IconButton>
        <IconButton label="Show more (−)" disabled={!enlarged} onClick={() => onZoom(2)}>
          <ZoomOut aria-hidden className="size-4" />
        </IconButton>
        <IconButton label="Show the whole call (0)" disabled={!enlarged} onClick={() => onZoom(null)}>
          <Maximize2 aria-hidden className="size-4" />
        </IconButton>
        <CopyLink link={link}>
          Link<span className="max-sm:sr-only"> to this moment</span>
        </CopyLink>
      </div>
    </div>
  );
}

function Times({ clock }: { clock: Clock }) {
  const seconds = useClock(clock, (one) => clockTime(one.seconds));
  const duration = useClock(clock, (one) => clockTime(one.duration));
  return (
    <span className="mx-1 min-w-28 text-sm tabular-nums">
      {seconds} <span className="text-muted">/ {duration}</span>
    </span>
  );
}

function Rate({ clock }: { clock: Clock }) {
  const rate = useClock(clock, (one) => one.rate);
  return (
    <select
      aria-label="Speed (, and .)"
      title="Speed (, and .)"
      value={rate}
      onChange={(event) => clock.setRate(Number(event.target.value))}
      className="h-8 rounded-md border border-strong-line bg-surface px-2 text-sm tabular-nums"
    >
      {RATES.map((one) => (
        <option key={one} value={one}>
          {one}×
        </option>
      ))}
    </select>
  );
}
