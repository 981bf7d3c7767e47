import { afterEach, expect, test } from "vitest";
import type { Turn } from "@/console/session/model/shapes";
import { Clock } from "@/console/session/player/clock";
import { Transcript } from "@/console/session/turns/transcript";
import { rendered } from "@/rendered";

let close = async () => {};
afterEach(() => close());

const typed = { participant: "ann", name: "Ann", at_s: 1, text: "When do you open?", note: false };
const note = { ...typed, at_s: 3, text: "keys pressed: 1", note: true };
const found = {
  at_s: 2,
  query: "When do you open?",
  text: "[hours.md: Sundays]\nFrom nine.",
  files: [
    { file: "hours.md", score: 7.24 },
    { file: "old.md", score: null },
  ],
  took_ms: 4,
};

async function shown(turn: Pick<Turn, "letters" | "found">) {
  const whole = { utterances: [], sentences: [], tools: [], ...turn } as unknown as Turn;
  const made = await rendered(<Transcript turn={whole} clock={new Clock()} agent="desk" />);
  close = made.close;
  return made.page;
}

test("What was found for a turn is told with its files and how well they fit, the words themselves a click away.", async () => {
  const page = await shown({ letters: [typed], found: [found] });
  expect(page.querySelector("summary")?.textContent).toBe(
    "Found for “When do you open?”: hours.md (7.2), old.md, 4 ms",
  );
  expect(page.querySelector("details")?.open).toBe(false);
  expect(page.querySelector("details p")?.textContent).toBe("[hours.md: Sundays]\nFrom nine.");
});

test("Where nothing fits that is told, too.", async () => {
  const page = await shown({ letters: [typed], found: [{ ...found, text: "", files: [] }] });
  expect(page.textContent).toContain("Nothing in the agent’s files fits “When do you open?”");
});

test("A note to the agent is nobody's words, and stands where it came.", async () => {
  const page = await shown({ letters: [typed, note], found: [found] });
  expect(page.textContent).not.toContain("Ann typeskeys pressed");
  expect(page.textContent?.indexOf("Note to the agent: keys pressed: 1")).toBeGreaterThan(
    page.textContent?.indexOf("Found for") ?? 0,
  );
});
