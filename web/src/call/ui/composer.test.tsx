import { act } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { running } from "@/call/running";
import { Composer } from "@/call/ui/composer";
import { rendered } from "@/rendered";

let close = async () => {};
afterEach(() => close());

/** The field of a call, in which somebody has typed; what is sent is answered when the test says so. */
async function typed(text: string) {
  const answers: { take: () => void; refuse: (why: Error) => void }[] = [];
  const say = vi.fn(() => new Promise<void>((take, refuse) => answers.push({ take, refuse })));
  const { call } = await running({ say });
  const shown = await rendered(<Composer call={call} focus={false} />);
  close = shown.close;
  await shown.type(text);
  const box = () => shown.page.querySelector("input")?.value;
  return { ...shown, call, say, box, answer: () => answers.shift() as (typeof answers)[number] };
}

test("Enter pressed again, before what was typed has gone, sends it no second time.", async () => {
  const { submit, say, box } = await typed("Hello.");
  await submit();
  await submit();
  expect([say.mock.calls, box()]).toEqual([[["Hello."]], ""]);
});

test("What could not be sent stands in the field again, with why, unless something else is typed there by now.", async () => {
  const { page, submit, answer, box, type } = await typed("Hello.");
  await submit();
  await act(async () => answer().refuse(new Error("There is no connection just now.")));
  expect(box()).toBe("Hello.");
  expect(page.querySelector("[role=alert]")?.textContent).toBe("There is no connection just now.");
  await submit();
  expect(page.querySelector("[role=alert]")).toBeNull();
  await type("Are you there?");
  await act(async () => answer().refuse(new Error("There is no connection just now.")));
  expect(page.querySelector("[role=alert]")).not.toBeNull();
  expect(box()).toBe("Are you there?");
});

test("What was sent stands in the transcript; blanks are nothing to send.", async () => {
  const { submit, answer, call, type, say } = await typed(" Hello. ");
  await submit();
  await act(async () => answer().take());
  expect(call.getSnapshot().call.transcript.lines).toMatchObject([{ kind: "person", text: "Hello.", typed: true }]);
  await type("  ");
  await submit();
  expect(say).toHaveBeenCalledOnce();
});
