/** The colour of each part of a turn; written out, so that Tailwind finds them. */
export const PART_COLOUR: Record<string, string> = {
  soft_end: "bg-part-soft_end",
  stt: "bg-part-stt",
  llm: "bg-part-llm",
  tts: "bg-part-tts",
  commit_wait: "bg-part-commit_wait",
  playout: "bg-part-playout",
};
