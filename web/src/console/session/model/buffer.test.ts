import { expect, test } from "vitest";
import { add, at, EMPTY, lastSeq, rewind } from "@/console/session/model/buffer";
import { event, golden } from "@/console/session/model/golden";

const LOG = golden("barge_in");

test("Events that come in any order, and more than once, stand in the order of the log, each once.", () => {
  const late = add(add(EMPTY, LOG.slice(10)), LOG.slice(0, 12));
  expect(late.events).toEqual(LOG);
  expect(late.epoch).toBe(0);
  expect(add(late, LOG)).toBe(late);
});

test("A buffer to which something is added stays what it was.", () => {
  const before = add(EMPTY, LOG.slice(0, 5));
  add(before, LOG);
  expect(before.events).toHaveLength(5);
});

test("A log that was rewound forgets its tail, and says that something is no longer so.", () => {
  const short = rewind(add(EMPTY, LOG), 7);
  expect(lastSeq(short)).toBe(7);
  expect(short.epoch).toBe(1);
  expect(at(short, 8)).toBeUndefined();
  expect(rewind(short, 9)).toBe(short);
});

test("An event that differs from the one in its place voids all that was known after it.", () => {
  const known = add(EMPTY, LOG);
  const other = event(10, "session.rewound", 2.6, { after: 9 });
  const mended = add(known, [other]);
  expect(mended.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(at(mended, 10)).toBe(other);
  expect(mended.epoch).toBe(1);
});

test("What comes after a gap is kept in its place, and the gap is filled later.", () => {
  const gap = add(add(EMPTY, LOG.slice(0, 3)), LOG.slice(6));
  expect(at(gap, 5)).toBeUndefined();
  expect(add(gap, LOG.slice(3, 6)).events).toEqual(LOG);
});
