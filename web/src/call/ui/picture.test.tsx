import { act, useSyncExternalStore } from "react";
import { afterEach, expect, test, vi } from "vitest";
import type { Call } from "@/call/call";
import { running } from "@/call/running";
import { usePicture } from "@/call/ui/picture";
import { rendered } from "@/rendered";

let close = async () => {};
afterEach(() => close());

function Page({ call }: { call: Call }) {
  const { open, portal } = usePicture(call, useSyncExternalStore(call.subscribe, call.getSnapshot));
  return (
    <>
      <button type="button" onClick={() => open?.()}>
        Open
      </button>
      {portal}
    </>
  );
}

/** The floating window of a call. */
async function floating() {
  const picture = { document: document.implementation.createHTMLDocument(), addEventListener() {}, close: vi.fn() };
  const { call, transport } = await running();
  const shown = await rendered(<Page call={call} />);
  close = shown.close;
  vi.stubGlobal("documentPictureInPicture", { requestWindow: async () => picture });
  await shown.render(<Page call={call} />);
  await act(async () => shown.page.querySelector("button")?.click());
  const button = (label: string) => picture.document.querySelector<HTMLButtonElement>(`[aria-label=${label}]`);
  return { call, transport, picture, button };
}

test("In the floating window one mutes the microphone, and unmutes it.", async () => {
  const { call, transport, button } = await floating();
  await act(async () => button("Mute")?.click());
  expect([call.getSnapshot().mine.muted, button("Mute")]).toEqual([true, null]);
  expect(transport.setMuted).toHaveBeenLastCalledWith(true);
  await act(async () => button("Unmute")?.click());
  expect([call.getSnapshot().mine.muted, button("Unmute")]).toEqual([false, null]);
});

test("By push-to-talk there is nothing to mute there: a press would do nothing.", async () => {
  const { call, button } = await floating();
  await act(async () => call.setPushToTalk(true));
  expect([button("Mute"), button("Unmute")]).toEqual([null, null]);
  expect(button("Leave")).not.toBeNull();
});

test("The floating window goes with the call.", async () => {
  const { picture, button } = await floating();
  await act(async () => button("Leave")?.click());
  expect(picture.close).toHaveBeenCalled();
});
