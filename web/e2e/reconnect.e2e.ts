import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, command, hasLiveKit, roomPath, type Shown, sessionOf, state } from "./call";
import { speak } from "./microphone";
import { SHOTS } from "./paths";

const { open } = inBrowser();

describe.each([
  { mode: "WebSocket", path: "/" },
  ...(hasLiveKit() ? [{ mode: "LiveKit", path: roomPath("loaded-anew", "Ann") }] : []),
])("by $mode", ({ mode, path }) => {
  test("Who loads the page anew is back in the same call with one press, with what was said.", async () => {
    const page = await open(path);
    await begin(page);
    await speak(page, "capital");
    await page.getByText(/capital of France/i).waitFor();
    await state(page, "speaking");
    const session = await sessionOf(page);

    await page.reload();
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `return-${mode}.png`) });
    await page.getByRole("button", { name: "Return to the call" }).click();
    await page.getByText(/capital of France/i).waitFor();
    await state(page, "listening");
    expect(await sessionOf(page)).toBe(session);
    await speak(page, "first");
    await page.getByText(/first question/i).waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByText("You left the call.").waitFor();
    await page.reload();
    await page.getByRole("button", { name: /^(Talk|Join)$/ }).waitFor(); // a call that is over is not offered
  });
});

test("A gateway that is killed in mid-call is replaced: the page says so, comes back and the same session goes on.", async () => {
  const page = await open("/");
  await begin(page);
  await speak(page, "capital");
  await page.getByText(/capital of France/i).waitFor();
  const session = await sessionOf(page);

  const gateway = inject("stack").processes.find(({ name }) => name === "gateway-1");
  if (gateway === undefined) throw new Error("the stack has no gateway-1");
  process.kill(gateway.pid, "SIGKILL");
  const agent = page.locator("[data-agent-state]");
  await agent.filter({ hasText: "Reconnecting" }).waitFor();
  await agent.filter({ hasText: "Listening" }).waitFor();

  await speak(page, "first");
  await page.getByText(/first question/i).waitFor();
  await state(page, "speaking");
  expect(await sessionOf(page)).toBe(session);
  const { events } = await command<Shown>("show", session);
  // once by the gateway that took it over, and again if the page came back to another one
  expect(events.filter(({ type }) => type === "session.resumed").length).toBeGreaterThan(0);
});
