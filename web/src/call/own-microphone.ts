import { type Mine, silent } from "@/call/mine";
import type { Link } from "@/call/model/events";
import type { Signs } from "@/call/model/missing";
import type { Transport } from "@/call/transport/transport";
import { messageOf } from "@/format";
import { Microphone, MicrophoneError } from "@/sound/microphone";

/** What is known of the call by its microphone, and what that changes of it. */
interface Owner {
  mine(): Mine;
  phase(): Link["phase"];
  change(change: Partial<Mine>): void;
}

/** The microphone of a call: opened, sent, exchanged for another, silenced, and closed with the call. At most one stays open. */
export class OwnMicrophone {
  private microphone: Microphone | null = null;

  constructor(
    private readonly transport: Transport,
    private readonly owner: Owner,
  ) {}

  /** How loud the person is, 0 to 1. */
  get level(): number {
    return this.microphone?.level ?? 0;
  }

  /** Its id, "" where there is none, or the browser does not say. */
  get device(): string {
    return this.microphone?.device ?? "";
  }

  get is(): Signs["microphone"] {
    if (this.microphone === null) return "off";
    if (silent(this.owner.mine())) return "muted";
    return this.microphone.alive ? "on" : "dead";
  }

  /** ms */
  openFor(now: number): number {
    return now - (this.microphone?.since ?? now);
  }

  async hear(hearing: Promise<Microphone | MicrophoneError>): Promise<void> {
    this.owner.change({ microphone: "opening" });
    const heard = await hearing;
    if (heard instanceof Microphone) await this.take(heard);
    else if (this.owner.phase() !== "over")
      this.owner.change({ microphone: "refused", problem: `${heard.message} Until then you can type.` });
  }

  async open(device: string): Promise<void> {
    this.owner.change({ microphone: this.microphone === null ? "opening" : "on", problem: "" });
    try {
      await this.take(await Microphone.open(device));
    } catch (error) {
      const problem = error instanceof MicrophoneError ? error.message : "The microphone could not be opened.";
      this.owner.change({ microphone: this.microphone === null ? "refused" : "on", problem });
    }
  }

  /** What is wished of muting, and of push-to-talk, is done. */
  hush(): void {
    const hushed = silent(this.owner.mine());
    if (this.microphone !== null) this.microphone.muted = hushed;
    this.transport.setMuted(hushed);
  }

  close(): void {
    this.microphone?.close();
    this.microphone = null;
  }

  /** One that was allowed after the call ended is closed at once. */
  private async take(microphone: Microphone): Promise<void> {
    if (this.owner.phase() === "over") {
      microphone.close();
      return;
    }
    const before = this.microphone;
    this.microphone = microphone;
    microphone.track.addEventListener("ended", () => {
      if (this.microphone === microphone) void this.open("");
    });
    this.owner.change({ microphone: "on", problem: "" });
    this.hush();
    try {
      await this.transport.listenTo(microphone);
      before?.close();
    } catch (error) {
      this.unsent(microphone, before, error);
    }
  }

  /** Nobody hears it, so it is open no longer: one goes back to the one before. A connection that breaks takes the microphone with it
   * once it is back. */
  private unsent(microphone: Microphone, before: Microphone | null, error: unknown): void {
    if (this.microphone !== microphone || this.owner.phase() !== "connected") {
      before?.close();
      return;
    }
    microphone.close();
    this.microphone = before?.track.readyState === "live" ? before : null;
    const problem = `The microphone could not be sent (${messageOf(error)}).`;
    if (this.microphone === null) {
      this.transport.setMuted(true);
      this.owner.change({ microphone: "refused", problem });
    } else {
      this.hush(); // it was pressed, or muted, meanwhile
      this.owner.change({ problem: `${problem} The one before is heard still.` });
    }
    void this.transport.listenTo(this.microphone).catch(() => {});
  }
}
