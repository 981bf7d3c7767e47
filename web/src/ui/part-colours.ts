/** The colour of each part of a turn, as ground and as text; written out, so that Tailwind finds them. */
export const PART_COLOUR: Record<string, string> = {
  soft_end: "bg-part-soft_end",
  stt: "bg-part-stt",
  llm: "bg-part-llm",
  tts: "bg-part-tts",
  commit_wait: "bg-part-commit_wait",
  playout: "bg-part-playout",
};

export const PART_TEXT: Record<string, string> = {
  soft_end: "text-part-soft_end",
  stt: "text-part-stt",
  llm: "text-part-llm",
  tts: "text-part-tts",
  commit_wait: "text-part-commit_wait",
  playout: "text-part-playout",
};
