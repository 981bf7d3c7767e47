import { countedIn, MediaDelay } from "@/call/transport/livekit/delay";
import { Onset } from "@/call/transport/livekit/onset";
import { Pulse } from "@/call/transport/livekit/pulse";
import type { Voice } from "@/call/transport/transport";
import { loudness } from "@/sound/frames";

const LOOK_MS = 500;
/** Of `loudness`: speech, however softly it begins. */
const SOUNDS = 0.2;
/** Samples in which speech is never quiet throughout, and those of them that are looked at together: the last of them are now. */
const RECENT = 8192;
const BLOCK = 512;

/** A remote track, as LiveKit's client has it. */
interface Heard {
  mediaStreamTrack: MediaStreamTrack;
  isMuted: boolean;
  getRTCStatsReport(): Promise<RTCStatsReport | undefined>;
}

/** The agent's voice where it comes as a track. The browser plays it and tells no clock of it: it is the wall's, less what lies between the
 * sound's leaving the gateway and its being heard. */
export class TrackVoice implements Voice {
  private readonly began = performance.now();
  private readonly delay = new MediaDelay();
  private readonly onset = new Onset();
  private pulse = new Pulse();
  private latest = 0;
  private heard: MediaStreamTrack | null = null;
  private context: AudioContext | null = null;
  private source: MediaStreamAudioSourceNode | null = null;
  private analyser: AnalyserNode | null = null;
  private watch = 0;
  private readonly samples = new Float32Array(RECENT);

  /** `changed`: whether it is `gone` is another now. */
  constructor(private readonly changed: () => void) {}

  follow(track: Heard): void {
    this.heard = track.mediaStreamTrack;
    this.context ??= new AudioContext();
    void this.context.resume();
    this.analyser = new AnalyserNode(this.context, { fftSize: this.samples.length });
    this.source?.disconnect();
    this.source = this.context.createMediaStreamSource(new MediaStream([this.heard]));
    this.source.connect(this.analyser);
    this.pulse = new Pulse();
    window.clearInterval(this.watch);
    this.watch = window.setInterval(() => void this.look(track, this.pulse), LOOK_MS);
  }

  /** Nothing comes of its track any more, not even silence. */
  get gone(): boolean {
    return this.pulse.gone;
  }

  /** The track was taken out of the room: who is there is seen otherwise. */
  unfollow(track: MediaStreamTrack): void {
    if (track !== this.heard) return;
    window.clearInterval(this.watch);
    this.pulse = new Pulse();
  }

  /** The second whose sound leaves the gateway, by its own news: it is heard later. */
  sent(): number {
    return (performance.now() - this.began) / 1000;
  }

  /** A reply's speech begins at that second of what is sent; null: it was cut off. */
  expect(at: number | null): void {
    this.onset.expect(at);
  }

  /** Where the line's delay grows it stands still, and never goes back. */
  position(): number {
    this.latest = Math.max(
      this.latest,
      this.onset.heard(this.sent(), this.delay.seconds, () => this.sounds()),
    );
    return this.latest;
  }

  /** Whether anything does; where nobody can say, it does. */
  private sounds(): boolean {
    if (this.analyser === null || this.context?.state !== "running") return true;
    this.analyser.getFloatTimeDomainData(this.samples);
    for (let at = 0; at < RECENT; at += BLOCK) {
      if (loudness(this.samples.subarray(at, at + BLOCK)) >= SOUNDS) return true;
    }
    return false;
  }

  /** Does `then` once the sound of second `at` was heard. */
  whenHeard(at: number, then: () => void): void {
    const left = at - this.position();
    if (left <= 0) then();
    else window.setTimeout(() => this.whenHeard(at, then), left * 1000 + 1);
  }

  dry(): number {
    return this.sounds() ? 0 : RECENT / (this.context?.sampleRate ?? 48_000);
  }

  level(): number {
    if (this.analyser === null) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples.subarray(RECENT - BLOCK));
  }

  onSound(): () => void {
    return () => {};
  }

  track(): MediaStreamTrack | null {
    return this.heard;
  }

  close(): void {
    window.clearInterval(this.watch);
    this.heard = this.source = this.analyser = null;
    void this.context?.close();
    this.context = null;
  }

  private async look(track: Heard, pulse: Pulse): Promise<void> {
    const counted = countedIn((await track.getRTCStatsReport().catch(() => undefined)) ?? []);
    if (counted === null) return;
    this.delay.learn(counted);
    const before = pulse.gone;
    pulse.feel(counted.packets, track.isMuted);
    if (pulse.gone !== before) this.changed();
  }
}
