import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, eventsOf, type } from "./call";

const { open } = inBrowser();

test("Who has never seen it finds in three clicks why a turn was slow, and what was heard of an answer that was cut.", async () => {
  const page = await open("/");
  const session = await type(page);
  await ask(page, "Tell me a long story about a train.");
  await page
    .locator("[data-said]")
    .filter({ hasText: /\w+ \w+/ })
    .first()
    .waitFor();
  await ask(page, "Stop. What is the capital of France?");
  await page.getByText("cut off here").waitFor();
  await page.locator("[data-said]").filter({ hasText: /\w/ }).nth(1).waitFor();
  await page.getByRole("button", { name: "Leave" }).click();
  const events = await eventsOf(session);
  const cut = events.find(({ type, how }) => type === "turn.ended" && how === "interrupted");

  await page.goto("/sessions");
  await page.locator(`a[href$="/sessions/${session}"]`).first().click();
  await page.getByRole("button", { name: /^Slowest turn/ }).click();
  const slow = page.getByRole("article").filter({ hasText: "took the longest" }).first();
  await slow.getByText(/^[\d.]+ m?s from .* to the agent’s first sound\.$/).waitFor();
  await page.getByRole("button", { name: /^Interrupted/ }).click();
  const card = page.locator(`#turn-${cut?.turn}`);
  await expect.poll(() => card.getByRole("definition").first().textContent()).toBe(`“${cut?.heard}”`);
  expect(await card.evaluate((one) => one.getBoundingClientRect().top < window.innerHeight)).toBe(true);
});

test("Who chooses LiveKit where its server is away is told so before anything is tried, and WebSocket goes on.", async () => {
  const page = await open("/");
  const away = {
    reachable: false,
    problem: "LiveKit can't be used now",
    url: "",
    room: "",
    agents: [],
    agent_name: "",
  };
  await page.route("**/v1/livekit/status", (route) => route.fulfill({ json: away }));
  await page.getByRole("button", { name: "Name, room and devices" }).click();
  const needs = page.getByText("LiveKit can't be used now.");
  await page.getByText("LiveKit", { exact: true }).click();
  await needs.waitFor();
  await page.getByText("WebSocket", { exact: true }).click();
  await needs.waitFor({ state: "detached" });
  expect(await page.getByRole("button", { name: "Talk", exact: true }).isEnabled()).toBe(true);
});
