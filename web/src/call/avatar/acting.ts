import { LipsyncEn } from "@met4citizen/talkinghead/modules/lipsync-en.mjs";
import { type Emphasis, emphases } from "@/call/avatar/emphasis";
import type { Head } from "@/call/avatar/head";
import { moodOf } from "@/call/avatar/moods";
import { Mouth, type Pose, poseOf } from "@/call/avatar/mouth";
import { shapesOf } from "@/call/avatar/spelling";
import type { Call } from "@/call/call";
import type { AgentState, CallEvent } from "@/call/model/events";

/** Seconds from one nod to the next while somebody speaks, and from one movement of the hands to the next. */
const NOD = 3.5;
const HANDS = 4;
/** Seconds without sound after which the lips rest: longer than from one report of the loudspeaker to the next. */
const DRY = 0.12;
/** Seconds after which a stress that was missed is left out. */
const MISSED = 0.3;

/** What the head does in a call: lips by the clock of the voice, a face by the agent's state, stress by the words. */
export class Acting {
  private readonly mouth = new Mouth();
  private readonly speller = new LipsyncEn();
  private stresses: Emphasis[] = [];
  private state: AgentState;
  private heard = false;
  private noddedAt = 0;
  private handsAt = 0;
  private readonly stop: () => void;

  constructor(
    private readonly call: Call,
    private readonly head: Head,
  ) {
    this.state = call.getSnapshot().call.agent;
    head.setMood(moodOf(this.state));
    this.stop = call.onEvent((event) => this.follow(event));
  }

  /** Before each frame. */
  frame(): void {
    const { voice } = this.call.transport;
    const at = voice.position();
    this.head.setMouth(this.lips(at));
    this.stress(at);
    this.listen();
  }

  close(): void {
    this.stop();
  }

  private follow(event: CallEvent): void {
    switch (event.type) {
      case "timings": {
        const { shapes, words } = event;
        const part = `${event.turn} ${event.index} ${event.part}`;
        this.mouth.tell(part, shapes !== undefined && shapes.length > 0 ? shapes : shapesOf(words, this.speller));
        const at = this.call.transport.voice.position();
        const begin = words[0]?.[1] ?? at;
        this.stresses = [...this.stresses.filter((one) => one.at < begin), ...emphases(words)].slice(-50);
        break;
      }
      case "hushed":
        this.mouth.hush(event.at);
        this.stresses = [];
        break;
      case "link":
        if (event.link.phase !== "connected") {
          this.mouth.clear();
          this.stresses = [];
          this.feel(this.call.getSnapshot().call.agent);
        }
        break;
      case "agent":
        this.feel(event.state);
        break;
      case "speech":
        this.heard = event.speaking;
        if (event.speaking) this.head.lookAtCaller(2.5);
        this.noddedAt = performance.now();
        break;
    }
  }

  private feel(state: AgentState): void {
    if (moodOf(state) !== moodOf(this.state)) this.head.setMood(moodOf(state));
    this.state = state;
  }

  /** Where the sound has run dry the lips rest, instead of standing open; where something sounds of which no shape was told, they go by how
   * loud it is. */
  private lips(at: number): Pose {
    const { voice } = this.call.transport;
    if (voice.dry() > DRY) return {};
    const pose = this.mouth.pose(at);
    return Object.keys(pose).length > 0 ? pose : poseOf(voice.level());
  }

  private stress(at: number): void {
    while (this.stresses.length > 0 && (this.stresses[0]?.at ?? 0) <= at) {
      const one = this.stresses.shift() as Emphasis;
      if (at - one.at > MISSED) continue;
      const now = performance.now();
      const hands = one.strong || now - this.handsAt > HANDS * 1000;
      if (hands) this.handsAt = now;
      this.head.stress(hands);
    }
  }

  /** Who is spoken to looks up, and nods now and then. */
  private listen(): void {
    const now = performance.now();
    if (!this.heard || now - this.noddedAt < NOD * 1000) return;
    this.noddedAt = now;
    this.head.nod();
    this.head.lookAtCaller(2.5);
  }
}
