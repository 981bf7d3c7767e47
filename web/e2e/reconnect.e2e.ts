import { expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, command, sessionOf } from "./call";
import { speak } from "./microphone";

const { open } = inBrowser();

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
  await page.locator("[data-agent-state=speaking]").waitFor();
  expect(await sessionOf(page)).toBe(session);
  const { events } = await command<{ events: { type: string }[] }>("show", session);
  // once by the gateway that took it over, and again if the page came back to another one
  expect(events.filter(({ type }) => type === "session.resumed").length).toBeGreaterThan(0);
});
