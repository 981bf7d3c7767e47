import { type ByteStreamReader, type Room, RoomEvent, type TextStreamReader } from "livekit-client";
import type { CallEvent } from "@/call/model/events";
import { fieldsOf } from "@/call/transport/livekit/packets";

const CHAT = "lk.chat";
/** Packets of clients from before text streams, and of LiveKit's server, which can send nothing else. */
const OLD_CHAT = "lk-chat-topic";
/** A packet of the server's has no sender: operators write by the API. Nor has one of somebody's of whom the room has not told yet, so it
 * is shown in nobody's name. */
const NOBODY = "";
const LARGEST_PACKET = 32_768;
/** What is no message of its own: its text comes by a stream as well, or it is about an earlier one. */
const NO_MESSAGE = ["ignoreLegacy", "editTimestamp", "deleted", "generated"];
/** Messages that are remembered, the latest: who sends by both ways does so at once. */
const KEPT = 200;
const FILES = "antiphon.files";
const LARGEST_FILE = 5_000_000;
/** Bytes of all that others have sent in a call, which the page holds. What comes after that is not taken. */
const MOST_HELD = 100_000_000;
const LONGEST = 4000;
const LONGEST_NAME = 200;

/** What people in a room type and hand each other. */
export class Chat {
  private files = 0;
  private held = 0;
  private packets = 0;
  private readonly seen = new Set<string>();

  constructor(
    private readonly room: Room,
    private readonly tell: (event: CallEvent) => void,
  ) {
    room.registerTextStreamHandler(CHAT, (reader, { identity }) => void this.typed(reader, identity));
    room.on(RoomEvent.DataReceived, (data, participant, _, topic) => {
      if (topic === OLD_CHAT) this.packet(data, participant?.identity ?? NOBODY);
    });
    room.registerByteStreamHandler(FILES, (reader, { identity }) => void this.received(reader, identity));
  }

  async say(text: string): Promise<void> {
    await this.room.localParticipant.sendText(text, { topic: CHAT });
  }

  /** Rejects with a sentence for a person. */
  async share(file: File): Promise<void> {
    if (file.size > LARGEST_FILE) {
      throw new Error(`${file.name} is larger than 5 MB, which is the most that is shared here.`);
    }
    await this.room.localParticipant.sendFile(file, { topic: FILES, mimeType: file.type });
    this.show(this.room.localParticipant.identity, file.name, file);
  }

  private async typed(reader: TextStreamReader, participant: string): Promise<void> {
    const text = await reader.readAll().catch(() => "");
    const { id } = reader.info;
    if (text && this.first(participant, id)) this.type(`${participant} ${id}`, participant, text);
  }

  private packet(data: Uint8Array, participant: string): void {
    if (data.byteLength > LARGEST_PACKET) return;
    const found = fieldsOf(data);
    const { id, message } = found;
    if (typeof message !== "string" || message.trim() === "" || NO_MESSAGE.some((name) => found[name])) return;
    if (typeof id === "string" && !this.first(participant, id)) return;
    this.packets++;
    this.type(`packet-${this.packets} ${performance.timeOrigin}`, participant, message); // the page before has lines, too
  }

  private type(id: string, participant: string, text: string): void {
    this.tell({ type: "typed", id, participant, text: text.slice(0, LONGEST) });
  }

  /** Whether a message of theirs has not come before, by the other way. */
  private first(participant: string, id: string): boolean {
    const key = JSON.stringify([participant, id]);
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    for (const old of this.seen) if (this.seen.size > KEPT) this.seen.delete(old);
    return true;
  }

  private async received(reader: ByteStreamReader, participant: string): Promise<void> {
    const size = reader.info.size ?? Number.POSITIVE_INFINITY;
    if (size > LARGEST_FILE || this.held + size > MOST_HELD) {
      this.tell({
        type: "trouble",
        code: "here",
        message: "A file that somebody shared is too large to be shown here.",
      });
      return;
    }
    this.held += size;
    const chunks = await reader.readAll().catch(() => null);
    if (chunks !== null) this.show(participant, reader.info.name, new Blob(chunks as BlobPart[]));
    else this.held -= size;
  }

  /** Whatever a file says it is, the browser is told that it is bytes: it is saved, and never opened as a page of ours. */
  private show(participant: string, name: string, file: Blob): void {
    this.files++;
    const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
    const id = `file-${this.files}`;
    this.tell({ type: "file", id, participant, name: name.slice(0, LONGEST_NAME), size: file.size, url });
  }
}
