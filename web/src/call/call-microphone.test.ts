import { afterEach, expect, test, vi } from "vitest";
import { leaveCurrent, setCurrent } from "@/call/current";
import { openMicrophone, running } from "@/call/running";
import { Microphone } from "@/sound/microphone";

afterEach(() => {
  setCurrent(null);
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("A microphone that is allowed after the call ended is closed.", async () => {
  const late = openMicrophone();
  let allow: (microphone: Microphone) => void = () => {};
  vi.spyOn(Microphone, "open").mockReturnValue(new Promise((resolve) => (allow = resolve)));
  const { call } = await running();
  const opening = call.openMicrophone("");
  await call.leave();
  allow(late);
  await opening;
  expect(late.close).toHaveBeenCalled();
});

test("Where a microphone can't be sent, the one before is heard still, and it is told; of the two that one alone is open.", async () => {
  const [first, second] = [openMicrophone(), openMicrophone()];
  vi.spyOn(Microphone, "open").mockResolvedValueOnce(first).mockResolvedValueOnce(second);
  const heard: unknown[] = [];
  const { call } = await running({
    listenTo: async (one) => {
      if (one === second) throw new Error("no room for it");
      heard.push(one);
    },
  });
  await call.openMicrophone("");
  await call.openMicrophone("other");
  expect(call.getSnapshot().mine).toMatchObject({
    microphone: "on",
    problem: "The microphone could not be sent (no room for it). The one before is heard still.",
  });
  expect([first, second].map(({ track }) => track.readyState)).toEqual(["live", "ended"]);
  expect(heard).toEqual([first, first]);
  await call.leave();
  expect(first.track.readyState).toBe("ended");
});

test("Who mutes while another microphone is being sent, and is back at the one before, is muted there.", async () => {
  const [first, second] = [openMicrophone(), openMicrophone()];
  vi.spyOn(Microphone, "open").mockResolvedValueOnce(first).mockResolvedValueOnce(second);
  const { call } = await running({
    listenTo: async (one) => {
      if (one !== second) return;
      call.setMuted(true);
      throw new Error("no room for it");
    },
  });
  await call.openMicrophone("");
  await call.openMicrophone("other");
  expect(first.track.enabled).toBe(false);
  await call.leave();
});

test("A microphone that can't be sent is not shown as on, and does not stay open, where there is none to go back to.", async () => {
  const [first, second] = [openMicrophone(), openMicrophone()];
  vi.spyOn(Microphone, "open").mockResolvedValueOnce(first).mockResolvedValueOnce(second);
  const { call, transport } = await running({
    listenTo: async (heard) => {
      if (heard === second) throw new Error("no room for it");
    },
  });
  await call.openMicrophone("");
  first.close(); // it was unplugged
  await call.openMicrophone("other");
  expect(call.getSnapshot().mine).toMatchObject({
    microphone: "refused",
    problem: "The microphone could not be sent (no room for it).",
  });
  expect(second.track.readyState).toBe("ended");
  expect(transport.setMuted).toHaveBeenLastCalledWith(true);
  await call.leave();
});

test("Who signs out leaves the call.", async () => {
  const { call } = await running();
  setCurrent(call);
  leaveCurrent();
  await vi.waitFor(() => expect(call.getSnapshot().call.link.phase).toBe("over"));
});

test("While a call goes on the screen stays on, again where the page was hidden meanwhile.", async () => {
  const release = vi.fn(async () => {});
  const request = vi.fn(async () => ({ release }));
  vi.stubGlobal("navigator", { wakeLock: { request } });
  const { call } = await running();
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.waitFor(() => expect(request).toHaveBeenCalledTimes(2));
  await call.leave();
  expect(release).toHaveBeenCalledTimes(1);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(request).toHaveBeenCalledTimes(2);
});
