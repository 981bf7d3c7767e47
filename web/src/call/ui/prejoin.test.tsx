import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AgentChoice } from "@/call/ui/agent-choice";
import { OtherDevices } from "@/call/ui/other-devices";
import { chosen } from "@/call/wish";
import type { Devices } from "@/sound/devices";

const DEVICES: Devices = {
  microphones: [{ id: "m", name: "Headset" }],
  cameras: [{ id: "c", name: "Lid" }],
  speakers: [{ id: "s", name: "Desk" }],
};

class Player {
  setSinkId() {}
}

beforeEach(() => {
  vi.stubGlobal("AudioContext", Player);
  vi.stubGlobal("HTMLMediaElement", Player);
});
afterEach(() => void vi.unstubAllGlobals());

/** The menus of the pre-join once the microphone is open, by their labels. */
function menusIn(mode: string, devices: Devices): string[] {
  const wish = chosen(null, `?mode=${mode}`);
  const markup = renderToStaticMarkup(
    <OtherDevices wish={wish} devices={devices} onChoose={() => {}} onAllowed={() => {}} />,
  );
  return [...markup.matchAll(/<label[^>]*>([^<]*)|<button[^>]*>([^<]*)/g)].map((found) => found[1] ?? found[2] ?? "");
}

test("before a call one chooses the loudspeaker, and in a room the camera and its resolution, too", () => {
  expect(menusIn("websocket", DEVICES)).toEqual(["Loudspeaker"]);
  expect(menusIn("livekit", DEVICES)).toEqual(["Loudspeaker", "Camera", "Camera resolution"]);
});

test("a camera that is not allowed yet can be asked for", () => {
  expect(menusIn("livekit", { ...DEVICES, cameras: [] })).toEqual(["Loudspeaker", "Choose a camera"]);
});

test("where the browser lets no page choose a loudspeaker, none is offered", () => {
  vi.stubGlobal("AudioContext", class {});
  expect(menusIn("websocket", DEVICES)).toEqual([]);
  expect(menusIn("livekit", DEVICES)).toContain("Loudspeaker");
});

test("beside the agents stands that a room keeps the one it has, where a room was named", () => {
  const queries = new QueryClient();
  queries.setQueryData(["call", "agents"], [{ name: "desk", is_default: true }, { name: "clerk" }]);
  const markup = (named: boolean) =>
    renderToStaticMarkup(
      <QueryClientProvider client={queries}>
        <AgentChoice agent="clerk" named={named} onChoose={() => {}} />
      </QueryClientProvider>,
    );
  expect(markup(true)).toContain("A room that stands keeps the agent it has.");
  expect(markup(false)).not.toContain("A room that stands");
});
