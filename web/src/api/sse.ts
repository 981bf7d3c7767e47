/** One event of a stream: `event` is "message" where the server names none, `id` the last one seen. */
export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

/** Reads text/event-stream as the HTML standard defines it, from chunks cut anywhere. */
export class EventParser {
  /** What the server wants to see again as Last-Event-ID. */
  lastId: string;
  /** Milliseconds that the server wants to pass before one comes back; null while it has said nothing. */
  retryAfter: number | null = null;

  private rest = "";
  private first = true;
  private event = "";
  private data: string[] = [];

  constructor(lastId = "") {
    this.lastId = lastId;
  }

  /** The events that are whole with this chunk. What is not ended by a blank line is kept for the next one. */
  push(chunk: string): ServerEvent[] {
    let text = this.rest + chunk;
    if (this.first && text !== "") {
      this.first = false;
      if (text.startsWith("\uFEFF")) text = text.slice(1);
    }
    const found: ServerEvent[] = [];
    let start = 0;
    for (;;) {
      const end = endOfLine(text, start);
      if (end === null) break;
      const whole = this.line(text.slice(start, end.at));
      if (whole !== null) found.push(whole);
      start = end.next;
    }
    this.rest = text.slice(start);
    return found;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null; // a comment: it only says that the server lives
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryAfter = Number(value);
    return null;
  }

  private dispatch(): ServerEvent | null {
    const { event, data } = this;
    this.event = "";
    this.data = [];
    if (data.length === 0) return null;
    return { event: event || "message", data: data.join("\n"), id: this.lastId };
  }
}

/** Where the line that begins at `start` ends; null while that can't be told: a `\r` at the very end may be half of `\r\n`. */
function endOfLine(text: string, start: number): { at: number; next: number } | null {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10) return { at, next: at + 1 };
    if (code !== 13) continue;
    if (at + 1 === text.length) return null;
    return { at, next: text.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
  }
  return null;
}
