import { expect, test } from "vitest";
import { chosenOf, isExport } from "@/console/sessions/upload";

test("A dropped file is a call or its captions by its name; what is neither is said.", () => {
  const file = (name: string) => new File([""], name);
  const { call, captions, others } = chosenOf(["a.WAV", "a.vtt", "b.wav", "c.exe"].map(file));
  expect([call?.name, captions?.name, others]).toEqual(["a.WAV", "a.vtt", ["b.wav", "c.exe"]]);
  expect(isExport(file("a.zip"))).toBe(true);
});
