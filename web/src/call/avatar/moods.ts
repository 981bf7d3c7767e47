import type { TalkingHead } from "@met4citizen/talkinghead";
import type { AgentState } from "@/call/model/events";

/** How the head feels: by what the agent does. */
export type Mood = "away" | "listening" | "thinking" | "speaking";

export function moodOf(state: AgentState): Mood {
  return state === "absent" || state === "joining" ? "away" : state;
}

/** The head's own face at rest looks stern: the corners of the mouth and the brows are up, as in a smile. The lids take part but a little,
 * else it looks tired. */
const KIND = {
  mouthSmile: 0.6,
  mouthDimpleLeft: 0.2,
  mouthDimpleRight: 0.2,
  browInnerUp: 0.15,
  browOuterUpLeft: 0.3,
  browOuterUpRight: 0.3,
  eyeSquintLeft: 0.1,
  eyeSquintRight: 0.1,
};

const FACES: Record<Mood, Record<string, number>> = {
  away: { eyesLookDown: 0.35, eyeBlinkLeft: 0.35, eyeBlinkRight: 0.35, bodyRotateX: 0.06, mouthSmile: 0.3 },
  listening: KIND,
  thinking: {
    eyesLookUp: 0.25,
    browInnerUp: 0.4,
    browOuterUpLeft: 0.2,
    browOuterUpRight: 0.2,
    mouthSmile: 0.3,
    mouthPressLeft: 0.15,
    mouthPressRight: 0.15,
    bodyRotateZ: 0.03,
  },
  speaking: { ...KIND, mouthSmile: 0.4 },
};

/** What still moves where a person has asked for less motion. */
const CALM = ["breathing", "blink"];

/** Our moods, made of TalkingHead's own: breathing, blinking, looking about. */
export function moods(known: TalkingHead["animMoods"], calm: boolean): TalkingHead["animMoods"] {
  const { neutral } = known;
  if (neutral === undefined) throw new Error("TalkingHead has no neutral mood");
  const anims = calm ? neutral.anims.filter(({ name }) => CALM.includes(name)) : neutral.anims;
  return Object.fromEntries(
    Object.entries(FACES).map(([mood, baseline]) => [mood, { baseline, speech: neutral.speech, anims }]),
  );
}
