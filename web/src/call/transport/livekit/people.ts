import { ConnectionQuality, type Participant, ParticipantKind, type Room, Track } from "livekit-client";
import type { AgentState, Person, Quality } from "@/call/model/events";
import type { Tile } from "@/call/transport/transport";

const STATE = "lk.agent.state";

export const QUALITIES: Record<ConnectionQuality, Quality> = {
  [ConnectionQuality.Excellent]: "good",
  [ConnectionQuality.Good]: "fair",
  [ConnectionQuality.Poor]: "poor",
  [ConnectionQuality.Lost]: "poor",
  [ConnectionQuality.Unknown]: "unknown",
};

export function everybodyIn(room: Room): Participant[] {
  return [room.localParticipant, ...room.remoteParticipants.values()];
}

/** Whether it is the agent itself, and not a participant that only publishes for one. */
export function isAgent(participant: Participant): boolean {
  return participant.kind === ParticipantKind.AGENT && !participant.attributes["lk.publish_on_behalf"];
}

/** Whether it is talked to by a button alone. */
export function isByButton(agent: Participant): boolean {
  return agent.attributes["antiphon.talk"] === "push_to_talk";
}

export function stateOf(agent: Participant | undefined): AgentState {
  if (agent === undefined) return "absent";
  const state = agent.attributes[STATE];
  if (state === "listening" || state === "thinking" || state === "speaking") return state;
  return state === "idle" || state === undefined ? "listening" : "joining";
}

export function personOf(participant: Participant): Person {
  return {
    identity: participant.identity,
    name: participant.name || (isAgent(participant) ? "Agent" : ""),
    kind: participant.isLocal ? "me" : isAgent(participant) ? "agent" : "person",
    muted: !participant.isMicrophoneEnabled,
    speaking: participant.isSpeaking,
    quality: QUALITIES[participant.connectionQuality],
  };
}

/** Whoever shows themselves, or their screen. */
export function tilesOf(everybody: Participant[]): Tile[] {
  return everybody.flatMap((participant) =>
    [...participant.videoTrackPublications.values()].flatMap(({ track, isMuted, source, trackSid }) =>
      track === undefined || isMuted
        ? []
        : {
            id: trackSid,
            identity: participant.identity,
            name: participant.isLocal ? "You" : participant.name || participant.identity,
            source: source === Track.Source.ScreenShare ? ("screen" as const) : ("camera" as const),
            mine: participant.isLocal,
            track: track.mediaStreamTrack,
          },
    ),
  );
}
