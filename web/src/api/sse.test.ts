import { expect, test } from "vitest";
import { EventParser } from "@/api/sse";

const STREAM = 'id: 7\nevent: rows\ndata: {"a":\ndata: 1}\n\n: still here\n\nid: 8\ndata: last\n\n';
const EVENTS = [
  { event: "rows", data: '{"a":\n1}', id: "7" },
  { event: "message", data: "last", id: "8" },
];

test("events are the same wherever the network cuts them, and however lines end", () => {
  for (const text of [STREAM, STREAM.replaceAll("\n", "\r\n"), STREAM.replaceAll("\n", "\r")]) {
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      found.push(...parser.push("\n")); // tells that a last \r stood alone
      expect(found).toEqual(EVENTS);
    }
  }
});

test("an event without its blank line has not happened", () => {
  const parser = new EventParser();
  expect(parser.push("data: half\n")).toEqual([]);
  expect(parser.push("\n")).toEqual([{ event: "message", data: "half", id: "" }]);
});

test("an event without data is none, but its id counts, and the last id stays", () => {
  const parser = new EventParser("3");
  expect(parser.push("id: 4\nevent: nothing\n\ndata: x\n\n")).toEqual([{ event: "message", data: "x", id: "4" }]);
  expect(parser.lastId).toBe("4");
});

test("an id with a NUL and a retry that is no number are passed over", () => {
  const parser = new EventParser("3");
  parser.push("id: a\0b\nretry: soon\n\n");
  expect([parser.lastId, parser.retryAfter]).toEqual(["3", null]);
  parser.push("retry: 250\n\n");
  expect(parser.retryAfter).toBe(250);
});

test("one space after the colon belongs to the form, further ones to the value; a byte order mark to neither", () => {
  const parser = new EventParser();
  expect(parser.push("\uFEFFdata:  two\n\n")).toEqual([{ event: "message", data: " two", id: "" }]);
  expect(parser.push("data\n\n")).toEqual([{ event: "message", data: "", id: "" }]);
});
