import { SoundBuffer } from "@/sound/buffer";
import { loudness } from "@/sound/frames";
import type { FromPlayout, ToPlayout } from "@/sound/playout.worklet";
import playoutWorklet from "@/sound/playout.worklet.ts?worker&url";
import { dryAt, heardAt, positionAt, type Report } from "@/sound/position";

/** Firefox on Linux may freeze for good when a page asks how late its output is: it holds its graph's lock while it asks PulseAudio, whose
 * callback waits for that graph. */
const FREEZES = /Linux.*Firefox\//.test(navigator.userAgent);
/** Seconds that the sound takes through PulseAudio, about. */
const PULSEAUDIO = 0.05;

type Told = Report & { level: number };

/** Plays a gateway's sound, and knows what has been heard of it. `rate`: Hz, for as long as it lives. */
export class Speaker {
  playing = false;
  /** Times the sound ran dry in mid-speech. */
  gaps = 0;
  private reports: Told[] = [];
  private listener: () => void = () => {};

  private constructor(
    private readonly context: AudioContext,
    private readonly tell: (message: ToPlayout, transfer?: Transferable[]) => void,
    readonly rate: number,
  ) {}

  /** Call it in the course of a press or a key: browsers give sound to nobody else. */
  static async open(rate: number): Promise<Speaker> {
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    void context.resume();
    if (context.audioWorklet === undefined) return Speaker.inMainThread(context, rate);
    try {
      await context.audioWorklet.addModule(playoutWorklet);
    } catch (error) {
      void context.close();
      throw error;
    }
    const node = new AudioWorkletNode(context, "antiphon-playout", { numberOfInputs: 0, outputChannelCount: [1] });
    node.connect(context.destination);
    const speaker = new Speaker(context, (message, transfer = []) => node.port.postMessage(message, transfer), rate);
    node.port.onmessage = ({ data }: MessageEvent<FromPlayout>) => speaker.take(data);
    return speaker;
  }

  /** Pages on plain http have no worklets. */
  private static inMainThread(context: AudioContext, rate: number): Speaker {
    const buffer = new SoundBuffer(rate);
    const node = context.createScriptProcessor(512, 0, 1);
    const speaker = new Speaker(
      context,
      (message) => {
        if ("pcm" in message) buffer.push(new Int16Array(message.pcm));
        else if (message.clear === "sound") buffer.clear();
        else buffer.restart();
      },
      rate,
    );
    node.onaudioprocess = ({ outputBuffer, playbackTime }) => {
      const out = outputBuffer.getChannelData(0);
      buffer.pull(out);
      const { position, playing, queued, silent, gaps } = buffer;
      const at = playbackTime + outputBuffer.duration;
      const ready = playing ? queued : 0;
      speaker.take({ position, ready, silent, at, playing, gaps, level: playing ? loudness(out) : 0 });
    };
    node.connect(context.destination);
    return speaker;
  }

  /** Whether the browser waits for a press before anything sounds. */
  get blocked(): boolean {
    return this.context.state !== "running";
  }

  async unblock(): Promise<void> {
    await this.context.resume();
  }

  /** `listener` is called when more has sounded. */
  onProgress(listener: () => void): void {
    this.listener = listener;
  }

  /** Int16 mono at `rate`; the buffer is taken over. */
  push(pcm: ArrayBuffer): void {
    this.tell({ pcm }, [pcm]);
  }

  clear(): void {
    this.tell({ clear: "sound" });
  }

  restart(): void {
    this.reports = [];
    this.tell({ clear: "all" });
  }

  /** Samples that have left the loudspeaker, what was dropped included. Where reports come late, as on a busy page, it goes on by
   * what was known to sound next. */
  sounded(): number {
    const now = this.outputTime();
    const report = this.reportOf(now);
    return report === undefined ? 0 : positionAt(report, this.reports[1], now, this.rate);
  }

  /** Seconds since the loudspeaker had sound, 0 while it has. */
  dry(): number {
    const now = this.outputTime();
    const report = this.reportOf(now);
    return report === undefined ? Number.POSITIVE_INFINITY : dryAt(report, now, this.rate);
  }

  /** How loud is what is heard: what is known of it already, and leaves the loudspeaker later, is not. */
  level(): number {
    return this.reportOf(this.outputTime())?.level ?? 0;
  }

  async setSink(device: string): Promise<void> {
    if ("setSinkId" in this.context) await (this.context.setSinkId as (id: string) => Promise<void>)(device);
  }

  async close(): Promise<void> {
    this.listener = () => {};
    if (this.context.state !== "closed") await this.context.close();
  }

  /** Second of the context's clock that is heard now. */
  private outputTime(): number {
    if (FREEZES) return heardAt({ currentTime: this.context.currentTime, latency: PULSEAUDIO }, performance.now());
    const { currentTime, outputLatency, baseLatency } = this.context;
    const latency = outputLatency || baseLatency || 0;
    return heardAt({ ...this.context.getOutputTimestamp?.(), currentTime, latency }, performance.now());
  }

  private reportOf(now: number): Told | undefined {
    while (this.reports.length > 1 && (this.reports[1] as Told).at <= now) this.reports.shift();
    return this.reports[0];
  }

  private take(report: FromPlayout): void {
    this.playing = report.playing;
    this.gaps = report.gaps;
    this.reports.push(report);
    this.sounded();
    this.listener();
  }
}
