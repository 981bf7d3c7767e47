import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser, PHONE } from "./browser";
import { answersOf, begin, hasLiveKit, roomPath, sessionOf, state } from "./call";
import { speak } from "./microphone";
import { SHOTS } from "./paths";

const { open } = inBrowser();

beforeAll(() => {
  mkdirSync(SHOTS, { recursive: true });
});

describe.skipIf(!hasLiveKit())("in a LiveKit room", () => {
  test("Three spoken turns, the second cut short by the third, are heard, shown as they sound, and timed.", async () => {
    const page = await open(roomPath("three-turns", "Ann"));
    await begin(page);
    const words = transcript(page);

    await speak(page, "capital");
    await words.getByText(/capital of France/i).waitFor();
    await state(page, "speaking");
    await words.locator("[data-coming]").first().waitFor(); // some are said, some are still to come
    await state(page, "listening");
    await words.getByRole("button", { name: /^This answer took/ }).waitFor();
    await expect.poll(() => words.locator("[data-coming]").count()).toBe(0);
    expect(await words.locator("[data-said]").last().textContent()).not.toBe("");

    await speak(page, "story");
    await state(page, "speaking");
    await words.locator("[data-said]").last().filter({ hasText: /\w \w/ }).waitFor();
    await speak(page, "stop");
    await words.getByText(/cut off/).waitFor();
    const cut = await words
      .getByText(/cut off/)
      .locator("..")
      .textContent();
    await words.getByText(/sky/i).waitFor();
    await state(page, "speaking");
    await page.screenshot({ path: join(SHOTS, "livekit-call.png") });
    await state(page, "listening");
    expect(
      await words
        .getByText(/cut off/)
        .locator("..")
        .textContent(),
    ).toBe(cut); // it stands as it was cut

    const session = await sessionOf(page);
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByText("You left the call.").waitFor();
    expect(await answersOf(session)).toEqual(["played", "interrupted", "played"]);
  });

  test("Two people share a room with the agent: camera, screen, chat, files; one is put out.", async () => {
    const [ann, bob] = await Promise.all([
      open(roomPath("two-people", "Ann")),
      asCaller(await open("/")).then(async (page) => {
        await page.goto(roomPath("two-people", "Bob"));
        return page;
      }),
    ]);
    await begin(ann);
    await begin(bob);
    await ann.getByRole("img", { name: /^Connection: (good|fair|poor)/ }).waitFor();

    await ann.getByRole("switch", { name: "Camera" }).click();
    const seen = bob.locator("figure", { hasText: /^Ann$/ }).locator("video");
    await seen.waitFor();
    await ann.getByRole("button", { name: "Devices" }).click();
    await ann.getByLabel("Camera resolution").selectOption("360p");
    await expect.poll(() => height(ann.locator("figure", { hasText: /^You$/ }).locator("video"))).toBe(360);
    await ann.getByRole("dialog", { name: "Devices" }).getByRole("button", { name: "Close" }).click();
    await ann.getByRole("switch", { name: "Your screen" }).click();
    await bob.locator("figure", { hasText: "Ann, screen" }).locator("video").waitFor();
    await bob.screenshot({ path: join(SHOTS, "livekit-room.png") });
    await bob.setViewportSize(PHONE);
    await bob.screenshot({ path: join(SHOTS, "livekit-room-phone.png") });

    await ann.getByRole("textbox").fill("What is the capital of France?");
    await ann.getByRole("textbox").press("Enter");
    await transcript(bob).getByText("What is the capital of France?").waitFor();
    await ann
      .locator("input[type=file]")
      .setInputFiles({ name: "plan.txt", mimeType: "text/plain", buffer: Buffer.from("left, then right") });
    await transcript(bob)
      .getByRole("link", { name: /plan\.txt/ })
      .waitFor();
    await transcript(bob).getByText("This answer took").waitFor();
    expect(await bob.getByRole("link", { name: /whole call/ }).count()).toBe(0); // the log is for operators

    await bob.getByRole("button", { name: /^People/ }).click();
    expect(await bob.getByRole("button", { name: /^Remove/ }).count()).toBe(0);
    await ann.getByRole("button", { name: "People (3)" }).click();
    await ann.getByRole("button", { name: "Remove Bob from the room" }).click();
    await bob.getByText("You were removed from the room.").waitFor();
    await ann.getByRole("dialog", { name: "People" }).getByText("Bob").waitFor({ state: "detached" });
  });

  test("Where LiveKit can't be used, the toggle says what is missing.", async () => {
    const page = await open("/", {
      before: (context) =>
        context.route("**/v1/livekit/status", async (route) => {
          const answer = await route.fetch();
          const problem = "No LiveKit server is set. Set LIVEKIT_URL.";
          await route.fulfill({ response: answer, json: { ...(await answer.json()), problem } });
        }),
    });
    await page.getByRole("button", { name: "Name, room and devices" }).click();
    await page.getByText("LiveKit", { exact: true }).click();
    await page.getByText("Set LIVEKIT_URL.").waitFor();
    await page.getByText("WebSocket", { exact: true }).click();
    await page.getByText("Set LIVEKIT_URL.").waitFor({ state: "detached" });
  });

  test("A LiveKit server that is killed in mid-call comes back with the call: the page says so, and the session goes on.", async () => {
    const page = await open(roomPath("server-lost", "Ann"));
    await begin(page);
    const session = await sessionOf(page);
    const server = inject("stack").processes.find(({ name }) => name === "livekit");
    if (server === undefined) throw new Error("the stack has no livekit");
    process.kill(server.pid, "SIGKILL");
    const agent = page.locator("[data-agent-state]");
    await agent.filter({ hasText: "Reconnecting" }).waitFor();
    await agent.filter({ hasText: "Listening" }).waitFor();
    await speak(page, "first");
    await page.getByText(/first question/i).waitFor();
    await state(page, "speaking");
    expect(await sessionOf(page)).toBe(session);
  });
});

function transcript(page: Page) {
  return page.getByRole("region", { name: "Transcript" });
}

function height(video: ReturnType<Page["locator"]>): Promise<number> {
  return video.evaluate((element) => (element as HTMLVideoElement).videoHeight);
}

/** The page is told that whoever uses it is a caller, as it would be where keys are asked for. */
async function asCaller(page: Page): Promise<Page> {
  await page.route("**/v1/me", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), role: "caller", development: false } });
  });
  return page;
}
