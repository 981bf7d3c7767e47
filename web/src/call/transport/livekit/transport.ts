import {
  type DisconnectReason,
  type Participant,
  type RemoteTrack,
  Room,
  type TextStreamReader,
  Track,
} from "livekit-client";
import { ApiError } from "@/api/client";
import { liveKitToken, removeFromRoom } from "@/call/api";
import type { CallEvent } from "@/call/model/events";
import { Chat } from "@/call/transport/livekit/chat";
import { AGAIN_MS, endingOf, PATIENCE_MS, wished } from "@/call/transport/livekit/endings";
import { follow } from "@/call/transport/livekit/follow";
import { Published } from "@/call/transport/livekit/media";
import { everybodyIn, isAgent, tilesOf } from "@/call/transport/livekit/people";
import { TrackVoice } from "@/call/transport/livekit/voice";
import { Who } from "@/call/transport/livekit/who";
import { LiveKitWords } from "@/call/transport/livekit/words";
import type { Listener, Transport, Video, WayBack, Wish } from "@/call/transport/transport";
import type { Microphone } from "@/sound/microphone";

/** A call in a LiveKit room, by LiveKit's own conventions (docs/livekit-room.md). Only this folder knows its client. */
export class LiveKitTransport implements Transport {
  readonly kind = "livekit";
  readonly voice = new TrackVoice();
  readonly video: Video;

  private readonly room = new Room({ dynacast: true, adaptiveStream: false, disconnectOnPageLeave: false });
  private readonly published = new Published(this.room);
  private readonly words = new LiveKitWords(
    (event) => this.tell(event),
    () => this.voice.sent(),
  );
  private readonly who = new Who(this.room, this.published, (event) => this.tell(event));
  private readonly chat = new Chat(this.room, (event) => this.tell(event));
  private listener: Listener = () => {};
  private tilesChanged: () => void = () => {};
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
    follow(this.room, {
      look: () => this.look(),
      broken: () => this.broken(),
      returned: () => this.returned(),
      disconnected: (reason) => this.disconnected(reason),
      subscribed: (track, participant) => this.subscribed(track, participant),
      blocked: (blocked) => this.tell({ type: "blocked", blocked }),
      timings: (data) => this.words.packet(data),
      transcribed: (reader, identity) => void this.transcribed(reader, identity),
    });
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

  private broken(): void {
    this.tell({ type: "link", link: { phase: "reconnecting", since: performance.now() } });
  }

  private returned(): void {
    this.who.forget();
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
      if (isAgent(participant)) this.voice.follow(track);
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

  private look(): void {
    this.who.look();
    this.tilesChanged();
  }

  private tell(event: CallEvent): void {
    this.listener(event);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
