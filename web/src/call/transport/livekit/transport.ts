import {
  type DisconnectReason,
  type Participant,
  type RemoteTrack,
  Room,
  RoomEvent,
  type TextStreamReader,
  Track,
} from "livekit-client";
import { ApiError } from "@/api/client";
import { liveKitToken, removeFromRoom } from "@/call/api";
import type { AgentState, CallEvent } from "@/call/model/events";
import { Chat } from "@/call/transport/livekit/chat";
import { AGAIN_MS, endingOf, PATIENCE_MS, wished } from "@/call/transport/livekit/endings";
import { Published } from "@/call/transport/livekit/media";
import { everybodyIn, isAgent, personOf, QUALITIES, stateOf, tilesOf } from "@/call/transport/livekit/people";
import { TrackVoice } from "@/call/transport/livekit/voice";
import { LiveKitWords } from "@/call/transport/livekit/words";
import type { Listener, Transport, Video, WayBack, Wish } from "@/call/transport/transport";
import type { Microphone } from "@/sound/microphone";

const SESSION = "antiphon.session";

/** A call in a LiveKit room, by LiveKit's own conventions (docs/livekit-room.md). The only file that knows its client. */
export class LiveKitTransport implements Transport {
  readonly kind = "livekit";
  readonly voice = new TrackVoice();
  readonly video: Video;

  private readonly room = new Room({ dynacast: true, adaptiveStream: false, disconnectOnPageLeave: false });
  private readonly published = new Published(this.room);
  private readonly words = new LiveKitWords(
    (event) => this.tell(event),
    () => this.voice.position(),
  );
  private readonly chat = new Chat(this.room, (event) => this.tell(event));
  private listener: Listener = () => {};
  private tilesChanged: () => void = () => {};
  private session = "";
  private agentState: AgentState = "absent";
  private lostAt = 0;
  private there = false;
  private done = false;

  private constructor(
    private readonly wish: Wish,
    private back: WayBack | null,
  ) {
    this.video = {
      setCamera: (resolution, device) => this.published.setCamera(resolution, device).finally(() => this.look()),
      setScreen: (on) => this.published.setScreen(on),
      tiles: () => tilesOf(everybodyIn(this.room)),
      onTiles: (listener) => {
        this.tilesChanged = listener;
      },
    };
    this.follow();
  }

  static async open(wish: Wish, back: WayBack | null = null): Promise<LiveKitTransport> {
    return new LiveKitTransport(wish, back);
  }

  get identity(): string {
    return this.room.localParticipant.identity;
  }

  async start(listener: Listener): Promise<void> {
    this.listener = listener;
    this.tell({ type: "link", link: { phase: "connecting" } });
    window.addEventListener("pagehide", this.hidden);
    await this.join();
  }

  /** Come in, or come back as who one was. */
  private async join(): Promise<void> {
    try {
      const { agent, name } = this.wish;
      const room = this.back?.room ?? this.wish.room;
      const token = await liveKitToken({ room, name, agent, identity: this.back?.identity ?? "" });
      if (this.done) return;
      await this.room.connect(token.server_url, token.participant_token);
    } catch (error) {
      if (this.lostAt > 0) return this.again();
      const why =
        error instanceof ApiError ? error.message : `The LiveKit server can't be reached (${messageOf(error)}).`;
      return this.over(why, true);
    }
    if (this.done) return void this.room.disconnect();
    this.there = true;
    this.lostAt = 0;
    this.back = { room: this.room.name, identity: this.room.localParticipant.identity };
    this.returned();
    await this.published.publish().catch((error: unknown) => {
      this.tell({ type: "trouble", code: "here", message: `The microphone could not be sent (${messageOf(error)}).` });
    });
    this.look();
  }

  /** The room was lost, its server with it perhaps: it is asked for again. */
  private again(): void {
    const now = performance.now();
    if (this.lostAt === 0) {
      this.lostAt = now;
      this.broken();
    }
    if (now - this.lostAt > PATIENCE_MS) {
      this.over("The connection to the room was lost, and did not come back in time.", true);
      return;
    }
    window.setTimeout(() => {
      if (!this.done) void this.join();
    }, AGAIN_MS);
  }

  wayBack(): WayBack | null {
    return this.back;
  }

  /** Who loads the page anew is out at once: nobody sees a ghost of them meanwhile. */
  private readonly hidden = (): void => void this.room.disconnect();

  async listenTo(microphone: Microphone | null): Promise<void> {
    await this.published.listenTo(microphone);
  }

  setMuted(muted: boolean): void {
    this.published.setMuted(muted);
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
    this.over("You left the call.", false);
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
      this.returned();
      this.look();
    });
    room.on(RoomEvent.Disconnected, (reason) => this.disconnected(reason));
    room.on(RoomEvent.TrackUnsubscribed, (track) => {
      for (const element of track.detach()) element.remove();
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

  private returned(): void {
    this.agentState = "absent";
    this.tell({ type: "link", link: { phase: "connected" } });
  }

  private disconnected(reason: DisconnectReason | undefined): void {
    const lost = this.there && !this.done;
    this.there = false;
    const why = endingOf(reason);
    if (why !== null) this.over(why, !wished(reason));
    else if (lost) this.again();
  }

  private over(why: string, failed: boolean): void {
    if (this.done) return;
    this.done = true;
    window.removeEventListener("pagehide", this.hidden);
    this.published.close();
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

  private tell(event: CallEvent): void {
    this.listener(event);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
