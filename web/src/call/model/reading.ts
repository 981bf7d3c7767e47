import type { How } from "@/call/model/events";
import type { AgentLine } from "@/call/model/transcript";
import { sounded, tokensOf } from "@/call/model/words";

/** A reply as it stands at `position` of the sound: what was said, what is still to come, and whether it was cut. */
export interface Reading {
  said: string;
  coming: string;
  cut: boolean;
  /** Why nothing, or no more, was said; "" where all is well. */
  note: string;
}

const NOTES: Record<How, string> = {
  played: "",
  interrupted: "",
  taken_back: "",
  dropped: "The agent was too busy to answer this.",
  failed: "The agent could not answer this.",
  expired: "The answer did not come in time.",
};

export function readingOf(line: AgentLine, position: number): Reading {
  const whole = line.sentences.map((sentence) => sentence.text).join(" ");
  if (line.over !== null) {
    const { how, heard } = line.over;
    const said = how === "played" && whole.length > heard.length ? whole : heard;
    return { said, coming: "", cut: how === "interrupted", note: NOTES[how] };
  }
  if (line.sentences.length === 0) return { said: line.said, coming: "", cut: false, note: "" };
  const said: string[] = [];
  const coming: string[] = [];
  for (const sentence of line.sentences) {
    const tokens = tokensOf(sentence.text);
    const count = sounded(sentence, position);
    (coming.length > 0 ? coming : said).push(...tokens.slice(0, count));
    coming.push(...tokens.slice(count));
  }
  return { said: said.join(" "), coming: coming.join(" "), cut: false, note: "" };
}
