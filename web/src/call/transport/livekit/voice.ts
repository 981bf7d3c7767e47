import type { Voice } from "@/call/transport/transport";
import { loudness } from "@/sound/frames";

/** The agent's voice where it comes as a track: the browser plays it, and the wall clock is its clock. */
export class TrackVoice implements Voice {
  private readonly began = performance.now();
  private heard: MediaStreamTrack | null = null;
  private context: AudioContext | null = null;
  private analyser: AnalyserNode | null = null;
  private readonly samples = new Float32Array(512);

  follow(track: MediaStreamTrack): void {
    this.heard = track;
    this.context ??= new AudioContext();
    void this.context.resume();
    this.analyser = new AnalyserNode(this.context, { fftSize: this.samples.length });
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
  }

  position(): number {
    return (performance.now() - this.began) / 1000;
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
    this.heard = this.analyser = null;
    void this.context?.close();
    this.context = null;
  }
}
