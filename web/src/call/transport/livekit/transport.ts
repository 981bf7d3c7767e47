import {
  DisconnectReason,
  LocalVideoTrack,
  type Participant,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TextStreamReader,
  Track,
  VideoPresets,
} from "livekit-client";
import { ApiError } from "@/api/client";
import { liveKitToken, removeFromRoom } from "@/call/api";
import type { AgentState, CallEvent } from "@/call/model/events";
import { Chat } from "@/call/transport/livekit/chat";
import { everybodyIn, isAgent, personOf, QUALITIES, stateOf, tilesOf } from "@/call/transport/livekit/people";
import { TrackVoice } from "@/call/transport/livekit/voice";
import { LiveKitWords } from "@/call/transport/livekit/words";
import type { Listener, Resolution, Transport, Video, Wish } from "@/call/transport/transport";
import { cameraProblem, type Microphone } from "@/sound/microphone";

const SESSION = "antiphon.session";

const PRESETS = { "360p": VideoPresets.h360, "720p": VideoPresets.h720, "1080p": VideoPresets.h1080 };

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
  private readonly chat = new Chat(this.room, (event) => this.tell(event));
  private listener: Listener = () => {};
  private tilesChanged: () => void = () => {};
  private session = "";
  private agentState: AgentState = "absent";
  private muted = false;

  private constructor(private readonly wish: Wish) {
    this.video = {
      setCamera: (resolution, device) => this.setCamera(resolution, device),
      setScreen: async (on) => {
        await this.room.localParticipant.setScreenShareEnabled(on).catch((error: Error) => {
          if (error.name !== "NotAllowedError") throw error; // they thought better of it
        });
      },
      tiles: () => tilesOf(everybodyIn(this.room)),
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
    await this.chat.say(text);
  }

  readonly share = (file: File): Promise<void> => this.chat.share(file);

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

  // ── who is there ─────────────────────────────────────────────────────────────────────────────────────────────────

  private look(): void {
    const everybody = everybodyIn(this.room);
    const agent = everybody.find(isAgent);
    const { speaking } = this;
    for (const participant of everybody) {
      if (isAgent(participant) || participant.isSpeaking === speaking.has(participant.identity)) continue;
      if (participant.isSpeaking) speaking.add(participant.identity);
      else speaking.delete(participant.identity);
      this.tell({ type: "speech", participant: participant.identity, speaking: participant.isSpeaking });
    }
    this.tell({ type: "people", people: everybody.map(personOf) });
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
