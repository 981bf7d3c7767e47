import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser, PHONE } from "./browser";
import { answersOf, ask, begin, hasLiveKit, post, roomPath, sessionOf, state } from "./call";
import { apart } from "./ear";
import { everyGateway } from "./gateways";
import { followLines, oneLine } from "./interim";
import { MARKUP, unharmed } from "./markup";
import { speak } from "./microphone";
import { SHOTS } from "./paths";
import { roomWordsOf, WITNESSED_IN_A_ROOM } from "./room-ear";

const { open } = inBrowser({ kept: true });

/** One room for all of them, one after the other: to come into a room, and to be answered there, takes seconds. */
describe.skipIf(!hasLiveKit())("in a LiveKit room", () => {
  let ann: Page;
  let bob: Page;
  let session: string;

  beforeAll(async () => {
    mkdirSync(SHOTS, { recursive: true });
    const bobs = open("/").then(asCaller);
    ann = await open(roomPath("several", "Ann"), WITNESSED_IN_A_ROOM);
    await begin(ann);
    session = await sessionOf(ann);
    bob = await bobs;
  });

  test("Three spoken turns, the second cut short by the third, are heard, shown as they sound (in grey until they are sure), and timed; who is muted is not heard.", async () => {
    const words = transcript(ann);
    const spoken = await followLines(ann);
    await speak(ann, "capital");
    await words.getByText(/capital of France/i).waitFor();
    await state(ann, "speaking");
    await words.locator("[data-coming]").first().waitFor(); // some are said, some are still to come
    await state(ann, "listening");
    await words.getByRole("button", { name: /^This answer took/ }).waitFor();
    expect(await oneLine(spoken)).toMatch(/capital of France/i);
    await expect.poll(() => words.locator("[data-coming]").count()).toBe(0);
    const said = words.locator("[data-said]");
    expect(await said.last().textContent()).not.toBe("");
    const sounded = await roomWordsOf(ann, session, 1);
    expect(sounded.length).toBeGreaterThan(0);
    expect(apart(sounded)).toEqual([]);

    await speak(ann, "story");
    await state(ann, "speaking");
    await said
      .last()
      .filter({ hasText: /(\S+ ){4}\S/ }) // sooner it would be taken back
      .waitFor();
    await speak(ann, "stop");
    const answer = words.getByText(/cut off/).first();
    const cut = await answer.locator("..").textContent();
    await words.getByText(/sky/i).waitFor();
    await state(ann, "speaking");
    await ann.screenshot({ path: join(SHOTS, "livekit-call.png") });
    await ann.getByRole("button", { name: "Mute" }).click();
    await speak(ann, "first"); // over the answer, which would be cut
    await state(ann, "listening");
    await ann.getByRole("button", { name: "Mute" }).click();
    expect(await answer.locator("..").textContent()).toBe(cut); // it stands as it was cut
    expect(await words.getByText(/first question/i).count()).toBe(0);
    await expect.poll(() => answersOf(session)).toEqual(["played", "interrupted", "played"]);
  });

  test("Two people share a room with the agent: camera, screen, chat, files, and who is muted; what they are called, type and share and what the agent says is text; one is put out.", async () => {
    await bob.goto(roomPath("several", `Bob ${MARKUP}`));
    await begin(bob);
    await ann.getByRole("img", { name: /^Connection: (good|fair|poor)/ }).waitFor();
    await ask(ann, `Answer with the one word yes. ${MARKUP}`);
    await transcript(bob).getByText("Answer with the one word yes. <img").waitFor();
    await ask(bob, "And me?");
    await transcript(ann).getByText("Bob <img").waitFor();
    await post(`/v1/sessions/${session}/say`, { text: "Said <img src=x onerror=hit=1>", interrupt: true });
    for (const page of [ann, bob]) await transcript(page).locator("p", { hasText: "Said <img src=x" }).waitFor();
    await ann.locator("input[type=file]").setInputFiles({
      name: "<img src=x onerror=hit=1>plan.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("left, then right"),
    });
    await transcript(bob)
      .getByRole("link", { name: /plan\.txt/ })
      .waitFor();

    await ann.getByRole("switch", { name: "Camera" }).click();
    await bob.locator("figure", { hasText: /^Ann$/ }).locator("video").waitFor();
    await ann.getByRole("button", { name: "Devices" }).click();
    await ann.getByLabel("Camera resolution").selectOption("360p");
    await expect.poll(() => height(ann.locator("figure", { hasText: /^You$/ }).locator("video"))).toBe(360);
    await ann.getByRole("dialog", { name: "Devices" }).getByRole("button", { name: "Close" }).click();
    await ann.getByRole("switch", { name: "Your screen" }).click();
    await bob.locator("figure", { hasText: "Ann, screen" }).locator("video").waitFor();
    await bob.screenshot({ path: join(SHOTS, "livekit-room.png") });
    await bob.setViewportSize(PHONE);
    await bob.screenshot({ path: join(SHOTS, "livekit-room-phone.png") });

    await ann.getByRole("switch", { name: "Your screen" }).click();
    await ann.getByRole("switch", { name: "Camera" }).click();
    expect(await bob.getByRole("link", { name: /whole call/ }).count()).toBe(0); // the log is for operators
    await bob.getByRole("button", { name: /^People/ }).click();
    expect(await bob.getByRole("button", { name: /^Remove/ }).count()).toBe(0);
    const muted = bob.getByRole("listitem").filter({ hasText: "Ann" }).getByLabel("muted");
    expect(await muted.count()).toBe(0);
    const [small] = await Promise.all([
      ann.context().waitForEvent("page"),
      ann.getByRole("button", { name: "Picture in picture" }).click(),
    ]);
    await small.getByText(/^(Listening|Thinking|Speaking)$/).waitFor();
    await small.getByRole("button", { name: "Mute" }).click();
    await muted.waitFor();
    await small.screenshot({ path: join(SHOTS, "picture-in-picture.png") });
    await small.getByRole("button", { name: "Unmute" }).click();
    await muted.waitFor({ state: "detached" });
    await small.close();

    await ann.getByRole("button", { name: "People (3)" }).click();
    await ann.getByRole("button", { name: /^Remove Bob <img/ }).click();
    await bob.getByText("You were removed from the room.").waitFor();
    for (const page of [ann, bob]) await unharmed(page);
    await ann.getByRole("dialog", { name: "People" }).getByText("Bob").waitFor({ state: "detached" });
    await ann.getByRole("dialog", { name: "People" }).getByRole("button", { name: "Close" }).click();
  });

  test("An agent from which nothing comes is said to be missed, though the room lists it still, and listens once it is back.", async () => {
    const gateways = await everyGateway(); // another would take the call over before it is missed
    for (const gateway of gateways) process.kill(gateway, "SIGSTOP"); // their connections stay open
    try {
      await ann.locator("[data-agent-state]").filter({ hasText: "Waiting for the agent" }).waitFor();
      await ann.getByRole("button", { name: "People (2)" }).waitFor();
    } finally {
      for (const gateway of gateways) process.kill(gateway, "SIGCONT");
    }
    await state(ann, "listening");
    expect(await sessionOf(ann)).toBe(session);
  });

  test("A LiveKit server that is killed in mid-call comes back with the call: the page says so, and the session goes on, by push-to-talk.", async () => {
    await ann.getByRole("switch", { name: "Push-to-talk" }).click();
    const server = inject("stack").processes.find(({ name }) => name === "livekit");
    if (server === undefined) throw new Error("the stack has no livekit");
    process.kill(server.pid, "SIGKILL");
    const agent = ann.locator("[data-agent-state]");
    await agent.filter({ hasText: "Reconnecting" }).waitFor();
    await agent.filter({ hasText: "Listening" }).waitFor();
    await ann.keyboard.down("Space");
    await ann.getByRole("button", { name: "Release to send", pressed: true }).waitFor();
    await speak(ann, "first");
    await ann.keyboard.up("Space");
    await ann.getByRole("button", { name: "Hold to talk", pressed: false }).waitFor();
    await transcript(ann)
      .getByText(/first question/i)
      .waitFor();
    await state(ann, "speaking");
    expect(await sessionOf(ann)).toBe(session);
    await ann.getByRole("button", { name: "Leave" }).click();
    await ann.getByText("You left the call.").waitFor();
  });

  test("An agent of push-to-talk turns the page's button on by itself, and is answered as it is let go.", async () => {
    await bob.goto(`${roomPath("button", "Bob")}&agent=button`);
    await begin(bob);
    const held = bob.getByRole("button", { name: /^Hold to talk/, pressed: false });
    await held.waitFor();
    await held.hover();
    await bob.mouse.down();
    await bob.getByRole("button", { name: "Release to send", pressed: true }).waitFor();
    await speak(bob, "capital");
    await bob.mouse.up();
    await transcript(bob)
      .getByText(/capital of France/i)
      .waitFor();
    await state(bob, "speaking");
    await bob.getByRole("button", { name: "Leave" }).click();
    await bob.getByText("You left the call.").waitFor();
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
