import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { finishedCall } from "./call";
import { SHOTS } from "./paths";
import { inWebKit } from "./webkit";

const page = inWebKit();

/** How many points of the timeline have a colour. */
const DRAWN = `const { width, height } = document.querySelector("canvas");
return document.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height).data.filter((one, at) => at % 4 === 3 && one > 0).length`;

test("WebKitGTK opens the console and a finished call, with its waterfall and its words.", async () => {
  mkdirSync(SHOTS, { recursive: true });
  const session = await finishedCall();
  await page().goto("/sessions");
  await page().reads(new RegExp(session.slice(0, 8)));
  await page().screenshot(join(SHOTS, "webkit-sessions.png"));
  await page().goto(`/sessions/${encodeURIComponent(session)}`);
  await page().reads(/Turn 1/);
  await page().reads(/capital of France/i);
  const bars = await page().run<number>(
    "return document.querySelectorAll('#turn-1 [aria-label^=\"Where the time\"] button').length",
  );
  expect(bars).toBeGreaterThan(2);
  await expect.poll(() => page().run<number>(DRAWN), { timeout: 10_000 }).toBeGreaterThan(0);
  await page().screenshot(join(SHOTS, "webkit-session.png"));
});

test("Where there is no WebRTC, as in WebKitGTK, the page says that a room needs it, and what to choose.", async () => {
  await page().goto("/?mode=livekit");
  expect(await page().run("return 'RTCPeerConnection' in window")).toBe(false);
  await page().reads(/This browser has no WebRTC, which LiveKit needs. Choose WebSocket./);
  await page().screenshot(join(SHOTS, "webkit-start.png"));
});
