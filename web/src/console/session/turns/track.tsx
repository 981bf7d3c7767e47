import clsx from "clsx";
import { type Clock, useClock } from "@/console/session/player/clock";

/** Something on a stretch of the session's clock. `queued_s`: the first seconds of it, in which it waited for a worker. */
export interface Piece {
  from_s: number;
  to_s: number;
  queued_s: number;
  colour: string;
  faint?: boolean;
}

/** Pieces where they passed, between `from_s` and `to_s`. */
export function Track({ pieces, from_s, to_s }: { pieces: readonly Piece[]; from_s: number; to_s: number }) {
  const length = Math.max(to_s - from_s, 1e-6);
  const percent = (seconds: number) => `${(Math.min(Math.max(seconds / length, 0), 1) * 100).toFixed(3)}%`;
  return (
    <span aria-hidden className="relative block h-3 w-full overflow-hidden rounded-sm bg-raised">
      {pieces.map((piece) => (
        <span
          key={`${piece.from_s} ${piece.to_s}`}
          className={clsx("absolute inset-y-0 flex min-w-0.5", piece.faint && "opacity-50")}
          style={{ left: percent(piece.from_s - from_s), width: percent(piece.to_s - piece.from_s) }}
        >
          <span
            className="h-full bg-part-queued"
            style={{ width: `${(piece.queued_s / Math.max(piece.to_s - piece.from_s, 1e-6)) * 100}%` }}
          />
          <span className={clsx("h-full flex-1", piece.colour)} />
        </span>
      ))}
    </span>
  );
}

/** The clock's hand over a stack of tracks of the same stretch; nothing while it is elsewhere. */
export function Hand({ clock, from_s, to_s }: { clock: Clock; from_s: number; to_s: number }) {
  const share = useClock(clock, ({ seconds }) => {
    const at = (seconds - from_s) / Math.max(to_s - from_s, 1e-6);
    return at < 0 || at > 1 ? null : Math.round(at * 1000) / 1000;
  });
  if (share === null) return null;
  return <span aria-hidden className="absolute inset-y-0 w-px bg-ink" style={{ left: `${share * 100}%` }} />;
}
