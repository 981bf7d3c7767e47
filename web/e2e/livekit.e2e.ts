import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { command, sessionOf, state } from "./call";
import { speak } from "./microphone";
import { SHOTS } from "./paths";

const { open } = inBrowser();

beforeAll(() => {
  mkdirSync(SHOTS, { recursive: true });
});

interface Shown {
  events: { type: string; turn: number | null; how?: string; heard?: string }[];
}

let rooms = 0;
async function join_(name: string, room: string): Promise<Page> {
  const page = await open(`/?mode=livekit&name=${name}&room=${room}`);
  await page.getByRole("button", { name: "Join", exact: true }).click();
  return page;
}

describe.skipIf(inject("stack").livekit_url === undefined)("in a LiveKit room", () => {
  test("Three spoken turns by LiveKit, the second cut short by the third, are heard, answered and timed.", async () => {
    const page = await join_("Ann", `three-${++rooms}`);
    await state(page, "listening");
    const words = page.getByRole("region", { name: "Transcript" });

    await speak(page, "capital");
    await words.getByText(/capital of France/i).waitFor();
    await state(page, "speaking");
    await words.locator("[data-coming]").waitFor();
    await state(page, "listening");
    await words.getByRole("button", { name: /^This answer took/ }).waitFor();
    expect(await words.locator("[data-said]").textContent()).not.toBe("");
    expect(await words.locator("[data-coming]").count()).toBe(0);

    await speak(page, "story");
    await state(page, "speaking");
    await page.waitForTimeout(1200);
    await speak(page, "stop");
    await words.getByText(/cut off/).waitFor();
    await words.getByText(/sky/i).waitFor();
    await state(page, "speaking");
    await page.screenshot({ path: join(SHOTS, "livekit-call.png") });
    await state(page, "listening");

    const session = await sessionOf(page);
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByText("You left the call.").waitFor();
    const { events } = await command<Shown>("show", session);
    const ended = events.filter(({ type }) => type === "turn.ended");
    expect(ended.map(({ how }) => how)).toEqual(["played", "interrupted", "played"]);
  });
});
