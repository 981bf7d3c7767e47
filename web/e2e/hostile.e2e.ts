import { test } from "vitest";
import { inBrowser } from "./browser";
import { begin, post, sessionOf } from "./call";
import { MARKUP, unharmed } from "./markup";

const { open } = inBrowser();

test("What people are called, what they type and what the agent answers is text, in the call and in the console.", async () => {
  const page = await open("/");
  await begin(page);
  const session = await sessionOf(page);
  await post(`/v1/sessions/${session}/message`, { participant: MARKUP, text: `Typed. ${MARKUP}` });
  await post(`/v1/sessions/${session}/say`, { text: `Said ${MARKUP}`, interrupt: true }); // it comes as an LLM's answer does
  await page.locator("p", { hasText: "Said <img src=x onerror" }).first().waitFor();
  await unharmed(page);

  await page.goto(`/sessions/${session}`);
  await page.getByText("Typed. <img").first().waitFor();
  await unharmed(page);
  await page.getByRole("tab", { name: /Events/ }).click();
  await page.getByRole("searchbox", { name: "Look for" }).fill("message.received"); // a live list shows its end
  await page.getByRole("option").filter({ hasText: "message.received" }).first().waitFor();
  await unharmed(page);
});

test("A caller's name is text in the list of sessions, and in their session.", async () => {
  const page = await open("/sessions");
  const session = await page.evaluate(called, MARKUP);
  await page.locator(`a[href$="/sessions/${session}"]`).first().waitFor();
  await page.getByText("<img").first().waitFor();
  await unharmed(page);
  await page.goto(`/sessions/${session}`);
  await page.getByText("<img").first().waitFor();
  await unharmed(page);
});

/** In the page: somebody of that name calls, and hangs up; the session. */
async function called(name: string): Promise<string> {
  const { url } = (await (await fetch("/v1/ws/ticket", { method: "POST" })).json()) as { url: string };
  const line = new WebSocket(url);
  line.onopen = () => line.send(JSON.stringify({ type: "start", version: 1, rate: 16_000, name, participant: name }));
  return new Promise((resolve) => {
    line.onmessage = ({ data }) => {
      const told = typeof data === "string" ? (JSON.parse(data) as { type: string; session: string }) : undefined;
      if (told?.type !== "ready") return;
      line.send(JSON.stringify({ type: "message", text: name }));
      resolve(told.session);
    };
  });
}
