import { type Animation, type Material, TalkingHead } from "@met4citizen/talkinghead";
import type { Look } from "@/call/avatar/looks";
import { type Mood, moods } from "@/call/avatar/moods";
import { type Pose, SHAPES } from "@/call/avatar/mouth";

/** The one file that knows TalkingHead: a head in an element, that looks, blinks and moves as it is told. */
export class Head {
  private pose: Pose = {};

  private constructor(
    private readonly talking: TalkingHead,
    private readonly calm: boolean,
  ) {}

  /** `glb`: where the head is to be loaded from; `look` null: its own colours; `calm`: nothing but lips and lids move;
   * `onFrame`: before each frame. Rejects where there is no WebGL, or the file is no head that can talk. */
  static async show(
    place: HTMLElement,
    glb: string,
    { look, calm, onFrame }: { look: Look | null; calm: boolean; onFrame: () => void },
  ): Promise<Head> {
    let head: Head | null = null;
    const talking = new TalkingHead(place, {
      lipsyncModules: [],
      cameraView: "upper",
      cameraY: -0.28,
      cameraDistance: -1.55,
      cameraRotateEnable: false,
      modelPixelRatio: Math.min(1, 2 / window.devicePixelRatio),
      avatarIdleHeadMove: calm ? 0 : 0.4,
      avatarSpeakingHeadMove: calm ? 0 : 0.5,
      avatarIdleEyeContact: 0.7,
      avatarSpeakingEyeContact: 0.7,
      lightAmbientIntensity: 0.9,
      lightDirectColor: 0xfff1e2,
      lightDirectIntensity: 9,
      update: () => {
        onFrame();
        head?.move();
      },
    });
    void talking.audioCtx.suspend(); // it plays nothing: the call does
    talking.scene.environmentIntensity = 0.45; // of more, skin and cloth look like wax
    Object.assign(talking.animMoods, moods(talking.animMoods, calm));
    try {
      await talking.showAvatar({ url: glb, body: "F", lipsyncLang: "en", avatarMood: "listening" });
    } catch (error) {
      dispose(talking);
      throw error;
    }
    head = new Head(talking, calm);
    if (look !== null) head.wear(look);
    return head;
  }

  wear(look: Look): void {
    const colours: Record<string, Look["skin"]> = { skin: look.skin, hair: look.hair, suit: look.suit };
    this.talking.armature?.traverse(({ material }) => {
      for (const one of material === undefined ? [] : ([material].flat() as Material[])) {
        const colour = colours[one.name];
        if (colour !== undefined) one.color?.setRGB(...colour);
      }
    });
  }

  /** The mouth of the next frame. */
  setMouth(pose: Pose): void {
    this.pose = pose;
  }

  setMood(mood: Mood): void {
    const speaks = mood === "speaking";
    this.talking.stateName = speaks ? "speaking" : "idle";
    this.talking.setMood(mood);
    if (!speaks) this.talking.stopGesture();
  }

  get mood(): Mood {
    return this.talking.moodName as Mood; // it is given no other
  }

  /** A stressed word. `strong`: with the hands. */
  stress(strong: boolean): void {
    if (this.calm) return;
    this.play({
      name: "stress",
      dt: [110, 160, 320],
      vs: {
        headRotateX: [0.09, 0.06, 0],
        browInnerUp: [0.5, 0.4, 0],
        browOuterUpLeft: [0.35, 0.3, 0],
        browOuterUpRight: [0.35, 0.3, 0],
      },
    });
    if (strong) this.talking.speakWithHands(0, 1);
  }

  /** "I hear you." */
  nod(): void {
    if (!this.calm) this.play({ name: "nod", dt: [220, 240, 220, 300], vs: { headRotateX: [0.1, 0.01, 0.07, 0] } });
  }

  lookAtCaller(seconds: number): void {
    this.talking.makeEyeContact(seconds * 1000);
  }

  /** How far the mouth is shown to be from rest, by the morphs of the last frame, 0 to 1. */
  get open(): number {
    return Math.min(
      1,
      SHAPES.reduce((sum, shape) => sum + (this.talking.mtAvatar[`viseme_${shape}`]?.applied ?? 0), 0),
    );
  }

  close(): void {
    dispose(this.talking);
  }

  /** Fewer pixels, for who can't draw as many. */
  coarser(): void {
    this.talking.renderer.setPixelRatio(COARSE);
  }

  private play(animation: Animation): void {
    this.talking.animQueue.push(this.talking.animFactory(animation));
  }

  private move(): void {
    for (const shape of SHAPES) {
      const morph = this.talking.mtAvatar[`viseme_${shape}`];
      if (morph === undefined) continue;
      morph.newvalue = this.pose[shape] ?? 0;
      morph.needsUpdate = true;
    }
  }
}

/** Pixels of ours for one of the page's. */
const COARSE = 0.6;

function dispose(talking: TalkingHead): void {
  talking.dispose();
  void talking.audioCtx.close();
}
