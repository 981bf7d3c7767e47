import {
  type ByteStreamReader,
  ConnectionQuality,
  DisconnectReason,
  LocalVideoTrack,
  type Participant,
  ParticipantKind,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TextStreamReader,
  Track,
  VideoPresets,
} from "livekit-client";
import { ApiError } from "@/api/client";
import { liveKitToken, removeFromRoom } from "@/call/api";
import type { AgentState, CallEvent, Person, Quality } from "@/call/model/events";
import { LiveKitWords } from "@/call/transport/livekit-words";
import { TrackVoice } from "@/call/transport/track-voice";
import type { Listener, Resolution, Tile, Transport, Video, Wish } from "@/call/transport/transport";
import { cameraProblem, type Microphone } from "@/sound/microphone";

const FILES = "antiphon.files";
const LARGEST_FILE = 5_000_000;
const SESSION = "antiphon.session";
const STATE = "lk.agent.state";

const PRESETS = { "360p": VideoPresets.h360, "720p": VideoPresets.h720, "1080p": VideoPresets.h1080 };

const QUALITIES: Record<ConnectionQuality, Quality> = {
  [ConnectionQuality.Excellent]: "good",
  [ConnectionQuality.Good]: "fair",
  [ConnectionQuality.Poor]: "poor",
  [ConnectionQuality.Lost]: "poor",
  [ConnectionQuality.Unknown]: "unknown",
};

const ENDINGS: Partial<Record<DisconnectReason, string>> = {
  [DisconnectReason.CLIENT_INITIATED]: "You left the call.",
  [DisconnectReason.DUPLICATE_IDENTITY]: "You joined this room from somewhere else; this page was put out.",
  [DisconnectReason.PARTICIPANT_REMOVED]: "You were removed from the room.",
  [DisconnectReason.ROOM_DELETED]: "The room was closed.",
  [DisconnectReason.SERVER_SHUTDOWN]: "The LiveKit server is shutting down.",
};

/** A call in a LiveKit room, by LiveKit's own conventions (docs/livekit-room.md). The only file that knows its client. */
export class LiveKitTransport implements Transport {
  readonly kind = "livekit";
  readonly voice = new TrackVoice();
  readonly video: Video;

  private readonly room = new Room({ dynacast: true, adaptiveStream: false, disconnectOnPageLeave: true });
  private readonly words = new LiveKitWords(
    (event) => this.tell(event),
    () => this.voice.position(),
  );
  private listener: Listener = () => {};
  private tilesChanged: () => void = () => {};
  private session = "";
  private agentState: AgentState = "absent";
  private muted = false;
  private files = 0;

  private constructor(private readonly wish: Wish) {
    this.video = {
      setCamera: (resolution, device) => this.setCamera(resolution, device),
      setScreen: async (on) => {
        await this.room.localParticipant.setScreenShareEnabled(on).catch((error: Error) => {
          if (error.name !== "NotAllowedError") throw error; // they thought better of it
        });
      },
      tiles: () => this.tiles(),
      onTiles: (listener) => {
        this.tilesChanged = listener;
      },
    };
    this.follow();
  }

  static async open(wish: Wish): Promise<LiveKitTransport> {
    return new LiveKitTransport(wish);
  }

  get identity(): string {
    return this.room.localParticipant.identity;
  }

  async start(listener: Listener): Promise<void> {
    this.listener = listener;
    this.tell({ type: "link", link: { phase: "connecting" } });
    try {
      const token = await liveKitToken(this.wish);
      await this.room.connect(token.server_url, token.participant_token);
    } catch (error) {
      const why =
        error instanceof ApiError ? error.message : `The LiveKit server can't be reached (${messageOf(error)}).`;
      this.over(why, true);
      return;
    }
    this.tell({ type: "link", link: { phase: "connected" } });
    await this.publish();
    this.look();
  }

  private microphone: Microphone | null = null;

  async listenTo(microphone: Microphone | null): Promise<void> {
    this.microphone = microphone;
    if (this.room.state === "connected") await this.publish();
  }

  private async publish(): Promise<void> {
    if (this.microphone === null) return;
    const { localParticipant } = this.room;
    const published = localParticipant.getTrackPublication(Track.Source.Microphone)?.audioTrack;
    if (published !== undefined) await published.replaceTrack(this.microphone.track, true);
    else await localParticipant.publishTrack(this.microphone.track, { source: Track.Source.Microphone });
    this.setMuted(this.muted);
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    const published = this.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    void (muted ? published?.mute() : published?.unmute());
  }

  /** The button is the microphone's: a LiveKit room knows no other. */
  talk(): void {}

  async say(text: string): Promise<void> {
    await this.room.localParticipant.sendText(text, { topic: "lk.chat" });
  }

  readonly share = async (file: File): Promise<void> => {
    if (file.size > LARGEST_FILE)
      throw new Error(`${file.name} is larger than 5 MB, which is the most that is shared here.`);
    await this.room.localParticipant.sendFile(file, { topic: FILES, mimeType: file.type });
    this.shared(this.identity, file.name, file);
  };

  readonly remove = async (identity: string): Promise<void> => {
    await removeFromRoom(this.room.name, identity);
  };

  async setSpeaker(device: string): Promise<void> {
    await this.room.switchActiveDevice("audiooutput", device);
  }

  async unblock(): Promise<void> {
    await this.room.startAudio();
  }

  async leave(): Promise<void> {
    await this.room.disconnect();
  }

  // ── what the room says ───────────────────────────────────────────────────────────────────────────────────────────

  private follow(): void {
    const look = () => this.look();
    const { room } = this;
    for (const event of [
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
    ] as const) {
      room.on(event, look);
    }
    room.on(RoomEvent.TrackSubscribed, (track, _, participant) => this.subscribed(track, participant));
    room.on(RoomEvent.Reconnecting, () => this.broken());
    room.on(RoomEvent.SignalReconnecting, () => this.broken());
    room.on(RoomEvent.Reconnected, () => {
      this.tell({ type: "link", link: { phase: "connected" } });
      this.agentState = "absent";
      this.look();
    });
    room.on(RoomEvent.Disconnected, (reason) => {
      const why = (reason !== undefined && ENDINGS[reason]) || "The connection to the room was lost.";
      this.over(why, reason !== DisconnectReason.CLIENT_INITIATED && reason !== DisconnectReason.ROOM_DELETED);
    });
    room.on(RoomEvent.AudioPlaybackStatusChanged, () =>
      this.tell({ type: "blocked", blocked: !room.canPlaybackAudio }),
    );
    room.on(RoomEvent.DataReceived, (data, _, __, topic) => {
      if (topic === "antiphon.words") this.words.packet(data);
    });
    room.registerTextStreamHandler(
      "lk.transcription",
      (reader, { identity }) => void this.transcribed(reader, identity),
    );
    room.registerTextStreamHandler("lk.chat", (reader, { identity }) => void this.chatted(reader, identity));
    room.registerByteStreamHandler(FILES, (reader, { identity }) => void this.received(reader, identity));
  }

  private broken(): void {
    this.tell({ type: "link", link: { phase: "reconnecting", since: performance.now() } });
  }

  private over(why: string, failed: boolean): void {
    this.voice.close();
    this.tilesChanged();
    this.tell({ type: "link", link: { phase: "over", why, failed } });
  }

  private subscribed(track: RemoteTrack, participant: Participant): void {
    if (track.kind === Track.Kind.Audio) {
      const element = track.attach();
      element.hidden = true;
      document.body.append(element);
      if (isAgent(participant)) this.voice.follow(track.mediaStreamTrack);
      track.once("ended", () => element.remove());
    }
    this.look();
  }

  private async transcribed(reader: TextStreamReader, identity: string): Promise<void> {
    const attributes = reader.info.attributes ?? {};
    const segment = attributes["lk.segment_id"] ?? reader.info.id;
    const agent = this.room.remoteParticipants.get(identity);
    let text = "";
    try {
      for await (const chunk of reader) {
        text += chunk;
        if (agent !== undefined && isAgent(agent)) this.words.agent(segment, text, false);
      }
    } catch {
      // the connection broke in mid-stream: what came of it stands
    }
    if (agent !== undefined && isAgent(agent)) this.words.agent(segment, text, true);
    else this.words.person(identity, segment, text, attributes["lk.transcription_final"] === "true");
  }

  private async chatted(reader: TextStreamReader, participant: string): Promise<void> {
    const text = await reader.readAll().catch(() => "");
    if (text) this.tell({ type: "typed", id: reader.info.id, participant, text: text.slice(0, 4000) });
  }

  private async received(reader: ByteStreamReader, participant: string): Promise<void> {
    if ((reader.info.size ?? LARGEST_FILE + 1) > LARGEST_FILE) return;
    const chunks = await reader.readAll().catch(() => null);
    if (chunks !== null) this.shared(participant, reader.info.name, new Blob(chunks as BlobPart[]));
  }

  /** Whatever a file says it is, the browser is told that it is bytes: it is saved, and never opened as a page of ours. */
  private shared(participant: string, name: string, file: Blob): void {
    this.files++;
    const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
    const id = `file-${this.files}`;
    this.tell({ type: "file", id, participant, name: name.slice(0, 200), size: file.size, url });
  }

  // ── who is there ─────────────────────────────────────────────────────────────────────────────────────────────────

  private look(): void {
    const everybody: Participant[] = [this.room.localParticipant, ...this.room.remoteParticipants.values()];
    const agent = everybody.find(isAgent);
    const { speaking } = this;
    for (const participant of everybody) {
      if (isAgent(participant) || participant.isSpeaking === speaking.has(participant.identity)) continue;
      if (participant.isSpeaking) speaking.add(participant.identity);
      else speaking.delete(participant.identity);
      this.tell({ type: "speech", participant: participant.identity, speaking: participant.isSpeaking });
    }
    this.tell({ type: "people", people: everybody.map((participant) => this.person(participant)) });
    this.tell({ type: "quality", quality: QUALITIES[this.room.localParticipant.connectionQuality] });
    const state = stateOf(agent);
    if (state !== this.agentState) this.tell({ type: "agent", state });
    this.agentState = state;
    const session = agent?.attributes[SESSION] ?? "";
    if (session && session !== this.session) this.tell({ type: "session", session, warnings: [] });
    this.session = session || this.session;
    this.tilesChanged();
  }

  private readonly speaking = new Set<string>();

  private person(participant: Participant): Person {
    return {
      identity: participant.identity,
      name: participant.name || (isAgent(participant) ? "Agent" : ""),
      kind: participant.isLocal ? "me" : isAgent(participant) ? "agent" : "person",
      muted: !participant.isMicrophoneEnabled,
      speaking: participant.isSpeaking,
      quality: QUALITIES[participant.connectionQuality],
    };
  }

  private tiles(): Tile[] {
    const everybody: Participant[] = [this.room.localParticipant, ...this.room.remoteParticipants.values()];
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

  private async setCamera(resolution: Resolution | null, device: string): Promise<void> {
    const { localParticipant } = this.room;
    try {
      if (resolution === null) {
        await localParticipant.setCameraEnabled(false);
        return;
      }
      const wanted = { resolution: PRESETS[resolution].resolution, ...(device && { deviceId: device }) };
      const track = localParticipant.getTrackPublication(Track.Source.Camera)?.track;
      if (track instanceof LocalVideoTrack && !track.isMuted) await track.restartTrack(wanted);
      else await localParticipant.setCameraEnabled(true, wanted);
    } catch (error) {
      throw new Error(cameraProblem(error));
    } finally {
      this.look();
    }
  }

  private tell(event: CallEvent): void {
    this.listener(event);
  }
}

function isAgent(participant: Participant): boolean {
  return participant.kind === ParticipantKind.AGENT && !participant.attributes["lk.publish_on_behalf"];
}

function stateOf(agent: Participant | undefined): AgentState {
  if (agent === undefined) return "absent";
  const state = agent.attributes[STATE];
  if (state === "listening" || state === "thinking" || state === "speaking") return state;
  return state === "idle" || state === undefined ? "listening" : "joining";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
