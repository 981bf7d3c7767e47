import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, begin, eventsOf, hasLiveKit, roomPath, sessionOf, state } from "./call";
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

/** The GATEWAY_ID of the one that has the session. */
async function gatewayOf(session: string): Promise<string> {
  const answer = await fetch(`${inject("stack").api_url}/v1/sessions`);
  const { sessions } = (await answer.json()) as { sessions: { session: string; gateway: string }[] };
  return sessions.find((row) => row.session === session)?.gateway ?? "";
}

/** Its process: one that has died is started again, as another. */
function processOf(gateway: string): number {
  const found = readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "utf8").includes(`GATEWAY_ID=${gateway}\0`);
    } catch {
      return false; // it has ended meanwhile, or is somebody else's
    }
  });
  if (gateway === "" || found[0] === undefined)
    throw new Error(`no gateway "${gateway}" runs: ${inject("stack").gateways}`);
  return Number(found[0]);
}
