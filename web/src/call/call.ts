import { keepAwake } from "@/call/awake";
import type { Mine } from "@/call/mine";
import type { CallEvent } from "@/call/model/events";
import { missing } from "@/call/model/missing";
import { begun, type CallState, reduce } from "@/call/model/state";
import { OwnMicrophone } from "@/call/own-microphone";
import { keepCall, type Left, portable } from "@/call/return";
import { giveBack } from "@/call/shared-files";
import type { Resolution, Tile, Transport, Wish } from "@/call/transport/transport";
import { messageOf } from "@/format";
import type { Microphone, MicrophoneError } from "@/sound/microphone";

export interface Snapshot {
  call: CallState;
  mine: Mine;
  tiles: Tile[];
  /** What is missing when nothing happens, in a sentence. */
  missing: string | null;
}

const UNHEARD_LEVEL = 0.45;
const LOOK_MS = 500;

/** One call from its beginning to its end: the transport's events become a state, the person's wishes become deeds. */
export class Call {
  /** When it began, by Date.now(). */
  readonly since = Date.now();
  private snapshot: Snapshot;
  private readonly listeners = new Set<() => void>();
  private readonly hearers = new Set<(event: CallEvent) => void>();
  private readonly microphone: OwnMicrophone;
  private readonly beganAt = performance.now();
  private linkSince = this.beganAt;
  private unheardSince = 0;
  private watch = 0;
  private typed = 0;
  private letSleep: (() => void) | null = null;

  constructor(
    readonly wish: Wish,
    readonly transport: Transport,
    left: Left | null = null,
  ) {
    const mine: Mine = {
      microphone: "off",
      problem: "",
      muted: left?.muted ?? false,
      pushToTalk: left?.pushToTalk ?? false,
      pressed: false,
      camera: null,
      screen: false,
      cameraDevice: wish.camera ?? "",
      resolution: wish.resolution ?? "720p",
      speakerDevice: "",
    };
    const call = begun(performance.now());
    const transcript = { ...call.transcript, lines: left?.lines ?? [] };
    this.snapshot = { call: { ...call, transcript }, mine, tiles: [], missing: null };
    this.microphone = new OwnMicrophone(transport, {
      mine: () => this.snapshot.mine,
      phase: () => this.snapshot.call.link.phase,
      change: (change) => this.mine(change),
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): Snapshot => this.snapshot;

  /** Each event as it comes, once it is in the state: for an avatar, which follows timings, hushes and the agent's state. */
  onEvent(hearer: (event: CallEvent) => void): () => void {
    this.hearers.add(hearer);
    return () => this.hearers.delete(hearer);
  }

  /** `hearing`: the microphone, once the person has allowed it; null: the call is typed. One can type from the beginning. */
  async start(hearing: Promise<Microphone | MicrophoneError> | null): Promise<void> {
    this.watch = window.setInterval(() => this.look(), LOOK_MS);
    window.addEventListener("pagehide", this.keep);
    this.transport.video?.onTiles(() => this.seen());
    if (hearing !== null) void this.microphone.hear(hearing);
    if (this.wish.speaker) void this.soundBy(this.wish.speaker);
    await this.transport.start((event) => this.happened(event));
  }

  /** The loudspeaker that was chosen before the call; where it was unplugged since, the browser's choice stands. */
  private async soundBy(speaker: string): Promise<void> {
    await this.transport.setSpeaker(speaker).then(
      () => this.mine({ speakerDevice: speaker }),
      () => {},
    );
  }

  /** How loud the person is, 0 to 1. */
  level(): number {
    return this.microphone.level;
  }

  get device(): string {
    return this.microphone.device;
  }

  async say(text: string): Promise<void> {
    await this.transport.say(text);
    this.typed++;
    const id = `typed-${this.typed} ${performance.timeOrigin}`; // a line of the page before keeps its own
    this.happened({ type: "typed", id, participant: this.transport.identity, text });
  }

  /** `device`: its id, "" for the browser's choice. What goes wrong is told in the state. */
  async openMicrophone(device: string): Promise<void> {
    await this.microphone.open(device);
  }

  setMuted(muted: boolean): void {
    this.mine({ muted });
    this.microphone.hush();
  }

  setPushToTalk(pushToTalk: boolean): void {
    if (!pushToTalk && this.snapshot.mine.pressed) this.press(false);
    this.mine({ pushToTalk, muted: false });
    this.microphone.hush();
  }

  /** The button of push-to-talk. */
  press(pressed: boolean): void {
    if (pressed === this.snapshot.mine.pressed) return;
    this.mine({ pressed });
    this.microphone.hush();
    this.transport.talk(pressed);
  }

  async setCamera(camera: Resolution | null, device = this.snapshot.mine.cameraDevice): Promise<void> {
    await this.attempt(async () => {
      await this.transport.video?.setCamera(camera, device);
      this.mine({ camera, cameraDevice: device, resolution: camera ?? this.snapshot.mine.resolution });
    });
  }

  async setScreen(screen: boolean): Promise<void> {
    await this.attempt(async () => {
      await this.transport.video?.setScreen(screen);
    });
  }

  async setSpeaker(device: string): Promise<void> {
    await this.attempt(async () => {
      await this.transport.setSpeaker(device);
      this.mine({ speakerDevice: device });
    });
  }

  async share(file: File): Promise<void> {
    await this.attempt(async () => this.transport.share?.(file));
  }

  /** Who leaves the page, or loads it anew, can come back to the call. */
  private readonly keep = (): void => {
    const back = this.transport.wayBack();
    if (back === null) return;
    const { mine, call } = this.snapshot;
    const lines = portable(call.transcript, this.transport.voice.position());
    const { muted, pushToTalk, resolution } = mine;
    const wish = { ...this.wish, speaker: mine.speakerDevice, camera: mine.cameraDevice, resolution };
    const microphone = this.microphone.is === "off" ? null : this.device;
    keepCall({ wish, back, microphone, muted, pushToTalk, lines, at: Date.now() });
  };

  async leave(): Promise<void> {
    this.finish();
    await this.transport.leave().catch(() => {});
  }

  /** Nobody sees it any more, nor the files that were shared in it: they can be saved until then, when it is over, too. */
  letGo(): void {
    giveBack(this.snapshot.call.transcript.lines, []);
  }

  private finish(): void {
    window.removeEventListener("pagehide", this.keep);
    window.clearInterval(this.watch);
    this.microphone.close();
    this.letSleep?.();
    this.letSleep = null;
  }

  /** A share that is ended in the browser's own bar, or a camera that went with a connection, is told by its tile alone. */
  private seen(): void {
    const tiles = this.transport.video?.tiles() ?? [];
    this.show({ tiles });
    const shows = (source: Tile["source"]) => tiles.some((tile) => tile.mine && tile.source === source);
    this.mine({ screen: shows("screen"), ...(shows("camera") ? {} : { camera: null }) });
  }

  private async attempt(deed: () => Promise<unknown>): Promise<void> {
    try {
      await deed();
    } catch (error) {
      this.happened({ type: "trouble", code: "here", message: messageOf(error) });
    }
  }

  private happened(event: CallEvent): void {
    const now = performance.now();
    if (event.type === "link") {
      this.linkSince = now;
      if (event.link.phase === "connected") this.letSleep ??= keepAwake();
      if (event.link.phase === "over") this.finish();
    }
    if (event.type === "by_button" && !this.snapshot.mine.pushToTalk) this.setPushToTalk(true);
    if (event.type === "speech" && event.participant === this.transport.identity) this.unheardSince = 0;
    const { lines } = this.snapshot.call.transcript;
    this.show({ call: reduce(this.snapshot.call, event, now) });
    giveBack(lines, this.snapshot.call.transcript.lines);
    for (const hearer of this.hearers) hearer(event);
    this.look();
  }

  private look(): void {
    const now = performance.now();
    const { call } = this.snapshot;
    const loud = this.level() > UNHEARD_LEVEL && call.agent === "listening";
    if (!loud || call.people.some((person) => person.kind === "me" && person.speaking)) this.unheardSince = now;
    const sentence = missing({
      link: call.link.phase,
      linkFor: now - this.linkSince,
      agent: call.agent,
      agentFor: now - call.agentSince,
      met: call.session !== "",
      microphone: this.microphone.is,
      microphoneFor: this.microphone.openFor(now),
      unheardFor: this.unheardSince === 0 ? 0 : now - this.unheardSince,
      blocked: call.blocked,
    });
    if (sentence !== this.snapshot.missing) this.show({ missing: sentence });
  }

  private mine(change: Partial<Mine>): void {
    this.show({ mine: { ...this.snapshot.mine, ...change } });
  }

  private show(change: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    for (const listener of this.listeners) listener();
  }
}
