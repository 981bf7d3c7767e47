import { expect, test } from "vitest";
import { nameOf } from "@/console/session/keep/download";

test("A file is saved under the name it is given, and nowhere else.", () => {
  expect(nameOf('attachment; filename="s1.zip"')).toBe("s1.zip");
  expect(nameOf('attachment; filename="../x"')).toBe("");
  expect(nameOf(null)).toBe("");
});
