import type { ByteStreamReader, Room, TextStreamReader } from "livekit-client";
import type { CallEvent } from "@/call/model/events";

const CHAT = "lk.chat";
const FILES = "antiphon.files";
const LARGEST_FILE = 5_000_000;
/** Bytes of all that others have sent: the page holds them for as long as it is open. What comes after that is not taken. */
const MOST_HELD = 100_000_000;
const LONGEST = 4000;
const LONGEST_NAME = 200;

/** What people in a room type and hand each other. */
export class Chat {
  private files = 0;
  private held = 0;

  constructor(
    private readonly room: Room,
    private readonly tell: (event: CallEvent) => void,
  ) {
    room.registerTextStreamHandler(CHAT, (reader, { identity }) => void this.typed(reader, identity));
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
    if (text) this.tell({ type: "typed", id: reader.info.id, participant, text: text.slice(0, LONGEST) });
  }

  private async received(reader: ByteStreamReader, participant: string): Promise<void> {
    const size = reader.info.size ?? Number.POSITIVE_INFINITY;
    if (size > LARGEST_FILE || this.held + size > MOST_HELD) return;
    this.held += size;
    const chunks = await reader.readAll().catch(() => null);
    if (chunks !== null) this.show(participant, reader.info.name, new Blob(chunks as BlobPart[]));
  }

  /** Whatever a file says it is, the browser is told that it is bytes: it is saved, and never opened as a page of ours. */
  private show(participant: string, name: string, file: Blob): void {
    this.files++;
    const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
    const id = `file-${this.files}`;
    this.tell({ type: "file", id, participant, name: name.slice(0, LONGEST_NAME), size: file.size, url });
  }
}
