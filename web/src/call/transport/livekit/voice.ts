import { countedIn, MediaDelay } from "@/call/transport/livekit/delay";
import type { Voice } from "@/call/transport/transport";
import { loudness } from "@/sound/frames";

const LOOK_MS = 500;

/** A remote track, as LiveKit's client has it. */
interface Heard {
  mediaStreamTrack: MediaStreamTrack;
  getRTCStatsReport(): Promise<RTCStatsReport | undefined>;
}

/** The agent's voice where it comes as a track. The browser plays it and tells no clock of it: it is the wall's, less what lies between the
 * sound's leaving the gateway and its being heard. */
export class TrackVoice implements Voice {
  private readonly began = performance.now();
  private readonly delay = new MediaDelay();
  private latest = 0;
  private heard: MediaStreamTrack | null = null;
  private context: AudioContext | null = null;
  private analyser: AnalyserNode | null = null;
  private watch = 0;
  private readonly samples = new Float32Array(512);

  follow(track: Heard): void {
    this.heard = track.mediaStreamTrack;
    this.context ??= new AudioContext();
    void this.context.resume();
    this.analyser = new AnalyserNode(this.context, { fftSize: this.samples.length });
    this.context.createMediaStreamSource(new MediaStream([this.heard])).connect(this.analyser);
    window.clearInterval(this.watch);
    this.watch = window.setInterval(() => void this.look(track), LOOK_MS);
  }

  /** The second whose sound leaves the gateway, by its own news: it is heard later. */
  sent(): number {
    return (performance.now() - this.began) / 1000;
  }

  /** Where the line's delay grows it stands still, and never goes back. */
  position(): number {
    this.latest = Math.max(this.latest, this.sent() - this.delay.seconds);
    return this.latest;
  }

  dry(): number {
    return 0;
  }

  level(): number {
    if (this.analyser === null) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples);
  }

  onSound(): () => void {
    return () => {};
  }

  track(): MediaStreamTrack | null {
    return this.heard;
  }

  close(): void {
    window.clearInterval(this.watch);
    this.heard = this.analyser = null;
    void this.context?.close();
    this.context = null;
  }

  private async look(track: Heard): Promise<void> {
    const counted = countedIn((await track.getRTCStatsReport().catch(() => undefined)) ?? []);
    if (counted !== null) this.delay.learn(counted);
  }
}
