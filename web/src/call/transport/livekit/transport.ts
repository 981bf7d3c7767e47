import { type Participant, type RemoteTrack, Room, type TextStreamReader, Track } from "livekit-client";
import { removeFromRoom } from "@/call/api";
import type { CallEvent } from "@/call/model/events";
import { Chat } from "@/call/transport/livekit/chat";
import { TRIES } from "@/call/transport/livekit/endings";
import { follow } from "@/call/transport/livekit/follow";
import { Published } from "@/call/transport/livekit/media";
import { everybodyIn, isAgent, isByButton, tilesOf } from "@/call/transport/livekit/people";
import { TrackVoice } from "@/call/transport/livekit/voice";
import { WayIn } from "@/call/transport/livekit/way-in";
import { Who } from "@/call/transport/livekit/who";
import { LiveKitWords } from "@/call/transport/livekit/words";
import type { Listener, Transport, Video, WayBack, Wish } from "@/call/transport/transport";
import { messageOf } from "@/format";
import type { Microphone } from "@/sound/microphone";

/** Characters of one utterance or reply; of what a stranger sends the rest is cut. */
const LONGEST = 20_000;

/** A call in a LiveKit room, by LiveKit's own conventions (docs/livekit-room.md). Only this folder knows its client. */
export class LiveKitTransport implements Transport {
  readonly kind = "livekit";
  readonly voice = new TrackVoice(() => this.look());
  readonly video: Video;

  private readonly room = new Room({
    dynacast: true,
    adaptiveStream: false,
    disconnectOnPageLeave: false,
    reconnectPolicy: TRIES,
  });
  private readonly published = new Published(this.room);
  private readonly words = new LiveKitWords(
    (event) => this.tell(event),
    () => this.voice.sent(),
    (at, then) => this.voice.whenHeard(at, then),
    (at) => this.voice.expect(at),
  );
  private readonly who = new Who(
    this.room,
    this.published,
    () => this.voice.gone,
    (event) => this.tell(event),
  );
  private readonly chat = new Chat(this.room, (event) => this.tell(event));
  private listener: Listener = () => {};
  private tilesChanged: () => void = () => {};
  private byButton = false;
  private readonly wayIn: WayIn;

  private constructor(wish: Wish, back: WayBack | null) {
    this.wayIn = new WayIn(this.room, wish, back, {
      broken: () => this.broken(),
      entered: () => this.entered(),
      over: (why, failed) => this.over(why, failed),
    });
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
      disconnected: (reason) => this.wayIn.disconnected(reason),
      subscribed: (track, participant) => this.subscribed(track, participant),
      unsubscribed: (track) => this.voice.unfollow(track.mediaStreamTrack),
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
    await this.wayIn.join();
  }

  wayBack(): WayBack | null {
    return this.wayIn.wayBack();
  }

  /** Who loads the page anew is out at once: nobody sees a ghost of them meanwhile. */
  private readonly hidden = (): void => void this.room.disconnect();

  async listenTo(microphone: Microphone | null): Promise<void> {
    await this.published.listenTo(microphone);
  }

  setMuted(muted: boolean): void {
    this.published.setMuted(muted);
  }

  /** The button is the microphone's, and also a message to an agent that is talked to by one. */
  talk(pressed: boolean): void {
    const agent = everybodyIn(this.room).find(isAgent);
    if (agent === undefined || !isByButton(agent)) return;
    const method = pressed ? "start_turn" : "end_turn";
    this.room.localParticipant
      .performRpc({ destinationIdentity: agent.identity, method, payload: "" })
      .catch((error: unknown) => {
        const message = `The agent did not take the button (${messageOf(error)}).`;
        this.tell({ type: "trouble", code: "here", message });
      });
  }

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
    this.wayIn.over("You left the call.", false);
  }

  // ── what the room says ───────────────────────────────────────────────────────────────────────────────────────────

  private broken(): void {
    this.tell({ type: "link", link: { phase: "reconnecting", since: performance.now() } });
  }

  private returned(): void {
    this.who.forget();
    this.tell({ type: "link", link: { phase: "connected" } });
  }

  private async entered(): Promise<void> {
    this.returned();
    await this.published.publish().catch((error: unknown) => {
      this.tell({ type: "trouble", code: "here", message: `The microphone could not be sent (${messageOf(error)}).` });
    });
    this.look();
  }

  private over(why: string, failed: boolean): void {
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
        text = (text + chunk).slice(0, LONGEST);
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
    if (!this.byButton && everybodyIn(this.room).some((one) => isAgent(one) && isByButton(one))) {
      this.byButton = true;
      this.tell({ type: "by_button" });
    }
    this.tilesChanged();
  }

  private tell(event: CallEvent): void {
    if (event.type === "session") this.words.forget();
    this.listener(event);
  }
}
