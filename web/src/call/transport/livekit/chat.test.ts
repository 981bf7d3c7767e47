import { type Room, RoomEvent, type TextStreamReader } from "livekit-client";
import { expect, test } from "vitest";
import type { CallEvent } from "@/call/model/events";
import { Chat } from "@/call/transport/livekit/chat";

const OLD_CHAT = "lk-chat-topic";

/** A room's chat, what comes into it by either way, and what is told of that. */
function chat() {
  const events: CallEvent[] = [];
  let received: (data: Uint8Array, participant: object | undefined, kind: number, topic: string) => void = () => {};
  let typed: (reader: TextStreamReader, sender: { identity: string }) => void = () => {};
  const room = {
    on: (event: string, handler: typeof received) => {
      if (event === RoomEvent.DataReceived) received = handler;
    },
    registerTextStreamHandler: (_: string, handler: typeof typed) => {
      typed = handler;
    },
    registerByteStreamHandler: () => {},
  };
  new Chat(room as unknown as Room, (event) => events.push(event));
  const packet = (message: unknown, identity?: string, topic = OLD_CHAT) => {
    const data = new TextEncoder().encode(typeof message === "string" ? message : JSON.stringify(message));
    received(data, identity === undefined ? undefined : { identity }, 0, topic);
  };
  const stream = async (id: string, text: string, identity: string) => {
    typed({ info: { id }, readAll: async () => text } as unknown as TextStreamReader, { identity });
    await Promise.resolve().then(() => {});
  };
  const lines = () => events.map((event) => (event.type === "typed" ? [event.participant, event.text] : event));
  return { events, packet, stream, lines };
}

test("What an operator writes to the people of a room is shown: the server sends it as a packet, in nobody's name.", () => {
  const { events, packet, lines } = chat();
  packet({ id: "7f", timestamp: 1, message: "We close at six. ☕" });
  packet({ id: "80", timestamp: 2, message: "Goodbye." });
  expect(lines()).toEqual([
    ["", "We close at six. ☕"],
    ["", "Goodbye."],
  ]);
  expect(new Set(events.map((event) => event.type === "typed" && event.id)).size).toBe(2);
});

test("A message that comes by a stream and by a packet is shown once, whichever comes first.", async () => {
  const { packet, stream, lines } = chat();
  await stream("a", "Hello.", "ann");
  packet({ id: "a", timestamp: 1, message: "Hello." }, "ann");
  packet({ id: "b", timestamp: 2, message: "Good day." }, "bob");
  await stream("b", "Good day.", "bob");
  packet({ id: "a", timestamp: 3, message: "Hello, too." }, "bob"); // a message of his own
  packet({ id: "c", timestamp: 4, message: "It comes by a stream.", ignoreLegacy: true }, "ann");
  expect(lines()).toEqual([
    ["ann", "Hello."],
    ["bob", "Good day."],
    ["bob", "Hello, too."],
  ]);
});

test("What strangers send is cut, and what is no message is passed over.", () => {
  const { packet, lines } = chat();
  for (const junk of ["{", "null", "7", {}, { message: 7 }, { message: " " }, { message: "x", deleted: true }]) {
    packet(junk, "eve");
  }
  packet({ message: "x".repeat(40_000) }, "eve");
  packet({ message: "of another kind" }, "eve", "mine");
  packet({ message: "y".repeat(9000) }, "eve");
  expect(lines()).toEqual([["eve", "y".repeat(4000)]]);
});

test("Who sends without end is not remembered without end.", () => {
  const { packet, lines } = chat();
  for (let number = 0; number < 300; number++) packet({ id: String(number), message: "x" }, "eve");
  packet({ id: "299", message: "x" }, "eve");
  packet({ id: "0", message: "x" }, "eve");
  expect(lines()).toHaveLength(301);
});
