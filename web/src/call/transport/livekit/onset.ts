/** Seconds for which speech that was told of is waited for; then none is coming. */
const MOST = 3;

/** Where a reply begins, the voice's clock waits for its sound: on a busy machine that comes later than the news of it foretold, by more
 * than WebRTC counts. Seconds are those of the line's clock, which knows of no such lateness. */
export class Onset {
  /** How much later the sound of this reply was than foretold, where it began. */
  private late = 0;
  /** The delay that was known then, and how much more is known since: of that much the lateness was no other. */
  private known = 0;
  private learnt = 0;
  private due: number | null = null;
  private quietAt: number | null = null;

  /** Speech is to begin at that second; null: it will not. */
  expect(at: number | null): void {
    this.due = at;
    this.quietAt = null;
  }

  /** The second that is heard now: `sent` less `delay`, or somewhat before. `loud`: whether anything sounds. */
  heard(sent: number, delay: number, loud: () => boolean): number {
    const now = sent - delay;
    this.learnt = Math.max(this.learnt, delay - this.known);
    if (this.due === null || now < this.due) return now - Math.max(0, this.late - this.learnt);
    if (!loud() && now - this.due < MOST) {
      this.quietAt = now;
      return this.due;
    }
    this.late = this.quietAt !== null && now - this.due < MOST ? this.quietAt - this.due : 0;
    this.known = delay;
    this.learnt = 0;
    this.expect(null);
    return now - this.late;
  }
}
