import { expect, test } from "vitest";
import { ALL, kindsOf, matching } from "@/console/session/model/filter";
import { golden } from "@/console/session/model/golden";

const LOG = golden("barge_in");

test("Events are found by kind, and by words in their number, type or body, whatever the case.", () => {
  expect(matching(LOG, ALL)).toBe(LOG);
  const clips = matching(LOG, { ...ALL, kinds: new Set(["clip", "reply"]) });
  expect(new Set(clips.map(({ type }) => type))).toEqual(new Set(["reply.sentence", "reply.finished", "clip.ready"]));
  expect(matching(LOG, { ...ALL, text: "HORSE" }).map(({ seq }) => seq)).toEqual([8]);
  expect(matching(LOG, { ...ALL, text: "interrupted barge_in" }).map(({ seq }) => seq)).toEqual([16]);
  expect(matching(LOG, { kinds: new Set(["speech"]), text: "horse" })).toEqual([]);
});

test("The kinds are counted, and keep their places as more events come.", () => {
  const kinds = kindsOf(LOG);
  expect(kinds.reduce((sum, [, count]) => sum + count, 0)).toBe(LOG.length);
  const earlier = kindsOf(LOG.slice(0, 9)).map(([kind]) => kind);
  expect(kinds.map(([kind]) => kind).filter((kind) => earlier.includes(kind))).toEqual(earlier);
});
