import type { Room } from "livekit-client";
import type { AgentState, CallEvent } from "@/call/model/events";
import type { Published } from "@/call/transport/livekit/media";
import { everybodyIn, isAgent, personOf, QUALITIES, stateOf } from "@/call/transport/livekit/people";

const SESSION = "antiphon.session";

/** Who is in a room, who speaks, and what the agent does: told as it changes. */
export class Who {
  private readonly speaking = new Set<string>();
  private session = "";
  private agent: AgentState = "absent";

  constructor(
    private readonly room: Room,
    private readonly published: Published,
    /** Whether nothing comes from the agent any more, though the room still lists it. */
    private readonly gone: () => boolean,
    private readonly tell: (event: CallEvent) => void,
  ) {}

  /** The connection is new: nothing is known of the agent. */
  forget(): void {
    this.agent = "absent";
  }

  look(): void {
    const everybody = everybodyIn(this.room);
    const { speaking } = this;
    for (const participant of everybody) {
      if (isAgent(participant) || participant.isSpeaking === speaking.has(participant.identity)) continue;
      if (participant.isSpeaking) speaking.add(participant.identity);
      else speaking.delete(participant.identity);
      this.tell({ type: "speech", participant: participant.identity, speaking: participant.isSpeaking });
    }
    this.tell({ type: "people", people: everybody.map(personOf) });
    this.tell({ type: "quality", quality: QUALITIES[this.room.localParticipant.connectionQuality] });
    const agent = everybody.find(isAgent);
    this.does(stateOf(this.gone() ? undefined : agent));
    const session = agent?.attributes[SESSION] ?? "";
    if (session && session !== this.session) this.tell({ type: "session", session, warnings: [] });
    this.session = session || this.session;
  }

  /** One that says it listens, and does not have our microphone yet, is still coming. */
  private does(said: AgentState): void {
    const coming = this.agent === "absent" || this.agent === "joining";
    const state = said === "listening" && coming && this.published.underway ? "joining" : said;
    if (state !== this.agent) this.tell({ type: "agent", state });
    this.agent = state;
  }
}
