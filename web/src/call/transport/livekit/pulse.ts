/** Looks, each half a second after the other, in which nothing came. Counted, as a page that slept for an hour has missed none. */
const PATIENCE = 4;

/** Whether the agent is still there, by the packets of its track: they come in silence, too. One whose process was killed stays in the
 * room's list until the server gives it up, which takes many seconds. */
export class Pulse {
  private packets = 0;
  private missed = 0;

  get gone(): boolean {
    return this.missed >= PATIENCE;
  }

  /** `packets`: of the track so far. `muted`: none are to come. Before the first one nothing is missed. */
  feel(packets: number, muted: boolean): void {
    const came = packets !== this.packets || packets === 0 || muted;
    this.packets = packets;
    this.missed = came ? 0 : this.missed + 1;
  }
}
