/** From where a wait is felt, and from where it is trouble (ms). */
const FELT = 1_500;
const TROUBLE = 3_000;

/** The colour of a wait. */
export function moodOf(ms: number | null): string {
  if (ms === null) return "text-faint";
  if (ms >= TROUBLE) return "text-bad";
  return ms >= FELT ? "text-warn" : "text-ink";
}
