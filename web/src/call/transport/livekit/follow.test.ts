import { type Participant, ParticipantKind, type Room, RoomEvent } from "livekit-client";
import { expect, test, vi } from "vitest";
import { type Follower, follow } from "@/call/transport/livekit/follow";

test("words of the agent's are taken from the agent, whoever else in the room sends such packets", () => {
  const heard = new Map<string, (...news: unknown[]) => void>();
  const room = { on: heard.set.bind(heard), registerTextStreamHandler: () => {} } as unknown as Room;
  const timings = vi.fn();
  follow(room, { timings } as unknown as Follower);
  const from = (kind: ParticipantKind, attributes = {}) =>
    heard.get(RoomEvent.DataReceived)?.(new Uint8Array(), { kind, attributes } as Participant, 0, "antiphon.words");
  from(ParticipantKind.STANDARD);
  from(ParticipantKind.AGENT, { "lk.publish_on_behalf": "somebody" });
  expect(timings).not.toHaveBeenCalled();
  from(ParticipantKind.AGENT);
  expect(timings).toHaveBeenCalledOnce();
});
