import { act, useSyncExternalStore } from "react";
import { afterEach, expect, test } from "vitest";
import type { Call } from "@/call/call";
import { openMicrophone, running } from "@/call/running";
import { MicrophoneControl } from "@/call/ui/microphone-control";
import { rendered } from "@/rendered";

let close = async () => {};
afterEach(() => close());

function Control({ call }: { call: Call }) {
  const snapshot = useSyncExternalStore(call.subscribe, call.getSnapshot);
  return (
    <>
      <MicrophoneControl call={call} snapshot={snapshot} />
      <input />
    </>
  );
}

/** A call by push-to-talk, its button on the page. */
async function held() {
  const { call, transport } = await running();
  await call.start(Promise.resolve(openMicrophone()));
  call.setPushToTalk(true);
  const shown = await rendered(<Control call={call} />);
  close = shown.close;
  const key = (type: "keydown" | "keyup", where: EventTarget) =>
    act(async () => where.dispatchEvent(new KeyboardEvent(type, { code: "Space", bubbles: true, cancelable: true })));
  const pressed = () => call.getSnapshot().mine.pressed;
  await key("keydown", document.body);
  expect(pressed()).toBe(true);
  return { ...shown, call, transport, key, pressed };
}

test("Whoever turns to another window with the space bar held, where nobody hears it let go, talks no longer.", async () => {
  const { pressed, transport } = await held();
  await act(async () => window.dispatchEvent(new Event("blur")));
  expect(pressed()).toBe(false);
  expect(transport.talk).toHaveBeenLastCalledWith(false);
});

test("The space bar let go where it is wanted for something else ends the talk, too.", async () => {
  const { page, key, pressed } = await held();
  await key("keyup", page.querySelector("input") as HTMLInputElement);
  expect(pressed()).toBe(false);
});

test("The space bar pressed where it is wanted for something else does not begin to talk.", async () => {
  const { page, key, pressed } = await held();
  await key("keyup", document.body);
  await key("keydown", page.querySelector("input") as HTMLInputElement);
  expect(pressed()).toBe(false);
});
