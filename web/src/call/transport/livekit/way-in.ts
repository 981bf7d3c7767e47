import type { DisconnectReason, Room } from "livekit-client";
import { ApiError, onSignIn, wantsKey } from "@/api/client";
import { liveKitToken } from "@/call/api";
import { AGAIN_MS, endingOf, wished } from "@/call/transport/livekit/endings";
import { WAITS_MS, type WayBack, type Wish } from "@/call/transport/transport";
import { messageOf } from "@/format";

/** What becomes of coming in. */
export interface Guest {
  /** The room is lost for now. */
  broken(): void;
  /** In, for the first time or again. */
  entered(): Promise<void>;
  /** For good; `why`: in a sentence, `failed`: not as anybody wished. */
  over(why: string, failed: boolean): void;
}

/** Into a room, and back into it as who one was, for as long as its agent waits. */
export class WayIn {
  private lostAt = 0;
  private there = false;
  private done = false;

  constructor(
    private readonly room: Room,
    private readonly wish: Wish,
    private back: WayBack | null,
    private readonly guest: Guest,
  ) {}

  wayBack(): WayBack | null {
    return this.back;
  }

  async join(): Promise<void> {
    try {
      const { agent, name } = this.wish;
      const room = this.back?.room ?? this.wish.room;
      const token = await liveKitToken({ room, name, agent, identity: this.back?.identity ?? "" });
      if (this.done) return;
      await this.room.connect(token.server_url, token.participant_token);
    } catch (error) {
      if (this.lostAt > 0) return this.again(wantsKey(error));
      const why =
        error instanceof ApiError ? error.message : `The LiveKit server can't be reached (${messageOf(error)}).`;
      return this.over(why, true);
    }
    if (this.done) return void this.room.disconnect();
    this.there = true;
    this.lostAt = 0;
    this.back = { room: this.room.name, identity: this.room.localParticipant.identity };
    await this.guest.entered();
  }

  disconnected(reason: DisconnectReason | undefined): void {
    const lost = this.there && !this.done;
    this.there = false;
    const why = endingOf(reason);
    if (why !== null) this.over(why, !wished(reason));
    else if (lost) this.again();
  }

  over(why: string, failed: boolean): void {
    if (this.done) return;
    this.done = true;
    this.guest.over(why, failed);
  }

  /** The room was lost, its server with it perhaps: it is asked for again. `signedOut`: the API wants a key, and would have the page ask for
   * it each time: not before there is one. */
  private again(signedOut = false): void {
    const now = performance.now();
    if (this.lostAt === 0) {
      this.lostAt = now;
      this.guest.broken();
    }
    const left = this.lostAt + WAITS_MS - now;
    const go = () => {
      window.clearTimeout(timer);
      forget();
      if (this.done) return;
      if (performance.now() - this.lostAt > WAITS_MS)
        this.over("The connection to the room was lost, and did not come back in time.", true);
      else void this.join();
    };
    const timer = window.setTimeout(go, signedOut ? left + 1 : AGAIN_MS);
    const forget = onSignIn(go);
  }
}
