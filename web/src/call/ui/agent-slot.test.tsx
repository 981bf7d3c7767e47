import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { avatarChoice, choose } from "@/call/avatar/choice";
import "@/call/avatar/face"; // loaded by now, as after the press that begins a call
import { running } from "@/call/running";
import { AgentSlot } from "@/call/ui/agent-slot";
import { rendered } from "@/rendered";

/** The library that draws, on a machine where it can't: `broken` is what it says. */
const drawing = vi.hoisted(() => ({ broken: "", refuses: "", tried: 0, disposed: 0, loaded: [] as string[] }));
vi.mock("@met4citizen/talkinghead", () => ({
  TalkingHead: class {
    audioCtx = { suspend: async () => {}, close: async () => {} };
    scene = { environmentIntensity: 0 };
    animMoods = { neutral: { baseline: {}, speech: 1, anims: [] } };
    animQueue = [];
    mtAvatar = {};
    armature = null;
    constructor() {
      drawing.tried += 1;
      if (drawing.broken !== "") throw new Error(drawing.broken);
    }
    async showAvatar({ url }: { url: string }) {
      drawing.loaded.push(url);
      if (drawing.refuses !== "" && url.startsWith("blob:")) throw new Error(drawing.refuses);
    }
    setMood() {}
    stopGesture() {}
    dispose() {
      drawing.disposed += 1;
    }
  },
}));

const FIRST = { shown: true, look: "ada", background: "plain", url: "", slow: 0 };
let close = async () => {};

beforeEach(() => {
  Object.assign(drawing, { broken: "", refuses: "", tried: 0, disposed: 0, loaded: [] });
  choose(FIRST);
});
afterEach(async () => {
  await close();
  vi.restoreAllMocks();
});

async function slot() {
  const { call } = await running();
  const shown = await rendered(<AgentSlot call={call} state="listening" />);
  close = shown.close;
  const { page } = shown;
  const button = (name: string) =>
    [...page.querySelectorAll("button")].find(
      ({ textContent, ariaLabel, title }) => textContent === name || ariaLabel === name || title === name,
    );
  const press = (name: string) => act(async () => button(name)?.click());
  const face = () => page.querySelector("[data-avatar]")?.getAttribute("data-avatar");
  return { page, press, face, ring: () => page.querySelector("svg[viewBox='0 0 100 100']") !== null };
}

const until = (what: () => void) => act(async () => vi.waitFor(what, { timeout: 4_000 }));

test("Where there is no WebGL the ring is shown, with what is wrong and a way to try again.", async () => {
  drawing.broken = "Error creating WebGL context.";
  const { page, press, face, ring } = await slot();
  await until(() => expect(page.textContent).toContain("The avatar can't be shown (Error creating WebGL context.)."));
  expect([ring(), face(), avatarChoice().shown]).toEqual([true, undefined, true]);
  drawing.broken = "";
  await press("Try again");
  await until(() => expect(face()).toBe("shown"));
  expect([ring(), page.textContent?.includes("can't be shown")]).toEqual([false, false]);
});

test("Somebody else's avatar that can't be shown gives way to ours, and what it had taken is given back.", async () => {
  drawing.refuses = "no armature";
  choose({ url: "blob:theirs" });
  const { page, face } = await slot();
  await until(() => expect(face()).toBe("shown"));
  expect(page.querySelector("[role=status]")?.textContent).toBe(
    "The file is no head that can talk (no armature). Ada is shown instead.",
  );
  expect([avatarChoice().url, drawing.disposed, drawing.loaded[0]]).toEqual(["", 1, "blob:theirs"]);
  expect(drawing.loaded.at(-1)).toContain("avatar.glb");
});

test("A device that drew it too slowly is told so, and shows it all the same to who insists.", async () => {
  choose({ slow: 7 });
  const { page, press, face, ring } = await slot();
  expect(page.textContent).toContain("The avatar is off: it needs 15 frames a second, and this device draws 7.");
  expect([ring(), drawing.tried]).toEqual([true, 0]);
  await press("Show it anyway");
  await until(() => expect(face()).toBe("shown"));
});
