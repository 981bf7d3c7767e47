import type { Page } from "puppeteer-core";
import { inject, test } from "vitest";
import { inFirefox } from "./firefox";
import { speak } from "./microphone";

const { open } = inFirefox();

async function press(page: Page, name: string): Promise<void> {
  const button = await page.waitForSelector(`::-p-xpath(//button[normalize-space()="${name}"])`);
  await button?.click();
}

const doing = (page: Page, state: string) => page.waitForSelector(`[data-agent-state=${state}]`);

/** One question, which is heard, answered and highlighted to its end. */
async function talks(page: Page): Promise<void> {
  await doing(page, "listening");
  await speak(page, "capital");
  // the smallest Whisper sometimes makes friends of France, of what a room's codec has left of it
  await page.waitForFunction(() => /what is the capital of fr/i.test(document.body.textContent ?? ""));
  await doing(page, "speaking");
  await page.waitForFunction(() => /\w/.test(document.querySelector("[data-said]")?.textContent ?? ""));
  await doing(page, "listening");
  await page.waitForFunction(() => document.querySelector("[data-coming]") === null); // heard a little later than sent
  await press(page, "Leave");
  await page.waitForFunction(() => document.body.textContent?.includes("You left the call."));
}

test("In Firefox one talks by WebSocket.", async () => {
  const page = await open("/");
  await press(page, "Talk");
  await talks(page);
});

test("In Firefox one talks in a LiveKit room.", async ({ skip }) => {
  if (inject("stack").livekit_url === undefined) skip("no LiveKit server here (make livekit)");
  const page = await open("/?mode=livekit");
  await press(page, "Join");
  await talks(page);
});
