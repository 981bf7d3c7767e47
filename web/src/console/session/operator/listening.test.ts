import { expect, test } from "vitest";
import { mix } from "@/console/session/operator/listening";

test("Two voices at once are heard together, and cut where they are louder than sound can be.", () => {
  const both = new Int16Array([1, 2, -5, 5, 30_000, 30_000, -30_000, -30_000]);
  expect([...mix(both, 2)]).toEqual([3, 0, 32_767, -32_768]);
  expect([...mix(new Int16Array([1, 2, 3]), 2)]).toEqual([3]);
});
