import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, begin, eventsOf, hasLiveKit, roomPath, sessionOf, state } from "./call";
import { gatewayOf, processOf } from "./gateways";
import { speak } from "./microphone";

const { open } = inBrowser();

const WAYS = [
  { path: "/", told: /Reconnecting/ },
  ...(hasLiveKit() ? [{ path: roomPath("comes-back", "Ann"), told: /Waiting for the agent|The agent is coming/ }] : []),
];

test("Calls by WebSocket and in a LiveKit room outlive that their pages are loaded anew, with what was said, and that their gateways are killed: the pages say so.", async () => {
  const calls = await Promise.all(
    WAYS.map(async ({ path, told }) => {
      const page = await open(path, { expected: /503/ }); // while no gateway has told yet that it is there
      await begin(page);
      await ask(page, "Answer with the one word yes.");
      await page.getByText("Answer with the one word yes.").waitFor();
      await state(page, "speaking");
      const session = await sessionOf(page);

      await page.reload();
      await page.getByRole("button", { name: "Return to the call" }).click();
      await page.getByText("Answer with the one word yes.").waitFor();
      await state(page, "listening");
      expect(await sessionOf(page)).toBe(session);
      return { page, session, told, states: await followStates(page) };
    }),
  );

  const gateways = await Promise.all(calls.map(({ session }) => gatewayOf(session)));
  for (const gateway of new Set(gateways)) {
    process.kill(processOf(gateway), "SIGKILL");
    const lost = calls.filter((_, number) => gateways[number] === gateway);
    for (const { states, told } of lost)
      await expect.poll(async () => (await states()).join(", "), { timeout: 30_000 }).toMatch(told);
    await Promise.all(calls.map(({ page }) => state(page, "listening")));
  }

  await Promise.all(
    calls.map(async ({ page, session }) => {
      await speak(page, "first");
      await page.getByText(/first question/i).waitFor();
      await state(page, "speaking");
      expect(await sessionOf(page)).toBe(session);
      await page.getByRole("button", { name: "Leave" }).click();
      await page.getByText("You left the call.").waitFor();
      await page.reload();
      await page.getByRole("button", { name: /^(Talk|Join)$/ }).waitFor(); // a call that is over is not offered
      const events = await eventsOf(session);
      expect(events.filter(({ type }) => type === "session.resumed").length).toBeGreaterThan(0);
    }),
  );
});

/** What the page says of the agent from now on, also where it says so for a moment only. */
async function followStates(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const states: string[] = [];
    const look = () => {
      const now = document.querySelector("[data-agent-state]")?.textContent ?? "";
      if (now !== states.at(-1)) states.push(now);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
    Object.assign(window, { states });
  });
  return () => page.evaluate(() => (window as unknown as { states: string[] }).states);
}
