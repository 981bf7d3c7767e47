import {
  type DisconnectReason,
  type Participant,
  type RemoteTrack,
  type Room,
  RoomEvent,
  type TextStreamReader,
} from "livekit-client";
import { isAgent } from "@/call/transport/livekit/people";

/** What becomes of what a room tells. */
export interface Follower {
  /** Somebody came, went or changed, or what they show did. */
  look(): void;
  broken(): void;
  returned(): void;
  disconnected(reason: DisconnectReason | undefined): void;
  subscribed(track: RemoteTrack, participant: Participant): void;
  unsubscribed(track: RemoteTrack): void;
  blocked(blocked: boolean): void;
  /** A packet of the topic `antiphon.words`, from the agent: anybody in the room may send some. */
  timings(data: Uint8Array): void;
  /** Words of somebody's, as a stream. */
  transcribed(reader: TextStreamReader, identity: string): void;
}

const CHANGES = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.LocalTrackSubscribed,
] as const;

export function follow(room: Room, follower: Follower): void {
  room.on(RoomEvent.TrackUnsubscribed, (track) => {
    for (const element of track.detach()) element.remove();
    follower.unsubscribed(track);
  });
  for (const event of CHANGES) room.on(event, () => follower.look());
  room.on(RoomEvent.TrackSubscribed, (track, _, participant) => follower.subscribed(track, participant));
  room.on(RoomEvent.Reconnecting, () => follower.broken());
  room.on(RoomEvent.SignalReconnecting, () => follower.broken());
  room.on(RoomEvent.Reconnected, () => {
    follower.returned();
    follower.look();
  });
  room.on(RoomEvent.Disconnected, (reason) => follower.disconnected(reason));
  room.on(RoomEvent.AudioPlaybackStatusChanged, () => follower.blocked(!room.canPlaybackAudio));
  room.on(RoomEvent.DataReceived, (data, participant, _, topic) => {
    if (topic === "antiphon.words" && participant !== undefined && isAgent(participant)) follower.timings(data);
  });
  room.registerTextStreamHandler("lk.transcription", (reader, { identity }) => follower.transcribed(reader, identity));
}
