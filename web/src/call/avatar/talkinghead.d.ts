/** The part of the package that is used; it comes without types. */
declare module "@met4citizen/talkinghead" {
  export interface Morph {
    newvalue: number | null;
    needsUpdate: boolean;
    /** What is on the screen. */
    applied: number;
  }

  /** One animation of the face: `dt` are ms, `vs` values of morphs at their ends. */
  export interface Animation {
    name: string;
    dt?: (number | number[])[];
    vs?: Record<string, (number | null | number[] | string)[]>;
    [alternative: string]: unknown;
  }

  export interface Material {
    name: string;
    color?: { setRGB(red: number, green: number, blue: number): void };
  }

  export class TalkingHead {
    constructor(node: HTMLElement, options: Record<string, unknown>);
    mtAvatar: Record<string, Morph>;
    animMoods: Record<string, { baseline: Record<string, number>; speech: unknown; anims: Animation[] }>;
    animQueue: unknown[];
    stateName: "idle" | "speaking";
    /** Of `animMoods`: the one it has. */
    moodName: string;
    audioCtx: AudioContext;
    scene: { environmentIntensity: number };
    renderer: { setPixelRatio(ratio: number): void };
    armature: { traverse(visit: (object: { material?: Material | Material[] }) => void): void } | null;
    showAvatar(avatar: Record<string, unknown>): Promise<void>;
    animFactory(animation: Animation): unknown;
    setMood(mood: string): void;
    makeEyeContact(ms: number): void;
    speakWithHands(delay?: number, probability?: number): void;
    stopGesture(ms?: number): void;
    dispose(): void;
  }
}

declare module "@met4citizen/talkinghead/modules/lipsync-en.mjs" {
  export class LipsyncEn {
    preProcessText(text: string): string;
    wordsToVisemes(word: string): { visemes: string[]; times: number[]; durations: number[] };
  }
}
