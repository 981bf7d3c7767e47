import { DefaultReconnectPolicy, DisconnectReason } from "livekit-client";

const ENDINGS: Partial<Record<DisconnectReason, string>> = {
  [DisconnectReason.CLIENT_INITIATED]: "You left the call.",
  [DisconnectReason.DUPLICATE_IDENTITY]: "You joined this room from somewhere else; this page was put out.",
  [DisconnectReason.PARTICIPANT_REMOVED]: "You were removed from the room.",
  [DisconnectReason.ROOM_DELETED]: "The room was closed.",
  [DisconnectReason.ROOM_CLOSED]: "The room was closed.",
};

/** Why a connection to a room is over for good, in a sentence; null: it broke, and is worth another try. */
export function endingOf(reason: DisconnectReason | undefined): string | null {
  return (reason !== undefined && ENDINGS[reason]) || null;
}

/** Whether somebody wished for this end. */
export function wished(reason: DisconnectReason | undefined): boolean {
  return reason === DisconnectReason.CLIENT_INITIATED || reason === DisconnectReason.ROOM_DELETED;
}

/** After which a room that was lost is asked for again. ms */
export const AGAIN_MS = 1000;

/** The client's own tries before that. By itself it waits 7 s between two, and a server that was started anew is there after one. It
 * adds up to a second of chance to each but the first two, so that not everybody comes back at once. */
export const TRIES = new DefaultReconnectPolicy([0, 300, ...Array<number>(20).fill(500)]);
