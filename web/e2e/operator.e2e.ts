import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, type } from "./call";

const { open } = inBrowser();

test("A live call is opened from the list, followed and listened to, with what it waits for; what an operator asks of it is done, and seen by the caller, in the session and in the record.", async () => {
  const desk = await open("/sessions", { before: (context) => context.addInitScript(hearPage) });
  const caller = await open("/?name=Ann");
  const session = await type(caller);
  const words = caller.getByRole("region", { name: "Transcript" });
  const line = desk.getByRole("row").filter({ has: desk.locator(`a[href$="/sessions/${session}"]`) });
  await line.getByRole("link", { name: "Ann" }).click();
  await desk.getByRole("heading", { level: 1, name: "Ann" }).waitFor();

  await desk.getByRole("button", { name: "Listen in" }).click();
  await desk.getByText("A second behind").waitFor();
  expect(await desk.evaluate(isHeard)).toBe(false);
  await demand(desk, "Say", "We close at five.", "Say it");
  await words.locator("[data-said]", { hasText: "We close at five." }).waitFor();
  await desk.waitForFunction(isHeard);
  await desk.locator("[data-word]", { hasText: "five." }).waitFor();
  await desk.getByRole("button", { name: "Stop listening" }).click();
  await desk.getByRole("button", { name: "Listen in" }).waitFor();

  await demand(desk, "Send text", "How late is it?", "Send");
  await words
    .getByRole("listitem")
    .filter({ hasText: /^Operator.*How late is it\?/ })
    .waitFor();
  await desk.locator("[id^=turn-]").getByText("How late is it?").waitFor();
  const card = desk.getByRole("article").filter({ hasText: "Which river flows through Paris?" });
  const waits = card.getByRole("list", { name: "Still to come" });
  const work = card.getByRole("list", { name: "All the work of this turn" }).getByRole("listitem");
  const llm = work.filter({ hasText: "LLM" });
  await withoutLlm(async () => {
    await ask(caller, "Which river flows through Paris?");
    await waits.getByText("Waiting for LLM: the first sentence").waitFor();
    await card.getByText(/^All the work of this turn/).click();
    await llm.getByText("still to come").waitFor();
  });
  await work.filter({ hasText: /^TTS/ }).first().waitFor();
  await waits.waitFor({ state: "detached" });
  expect(await llm.getByText("still to come").count()).toBe(0);
  await demand(desk, "Instructions", "You are a pirate.", "Change them", "Show it");
  await desk
    .getByRole("region", { name: /^Event/ })
    .getByText("You are a pirate.")
    .waitFor();
  await demand(desk, "End", "", "End the call");
  await caller.getByText(/ended by an operator/).waitFor();
  await desk.getByText("ended on request").waitFor();
  for (const kind of ["say.requested", "message.received", "instructions.changed", "end.requested"]) {
    await desk.getByRole("searchbox", { name: "Look for" }).fill(kind);
    await desk.getByRole("option").filter({ hasText: kind }).first().waitFor();
  }

  await desk.goto("/access/audit");
  const deeds = desk.getByRole("listitem").filter({ hasText: session });
  await deeds.nth(5).waitFor();
  const done = (await deeds.allTextContents()).map((text) => DEEDS.find((deed) => text.includes(deed)) ?? text);
  expect(done).toEqual(DEEDS);
});

/** While `act` goes on no worker of the LLM does anything. */
async function withoutLlm(act: () => Promise<void>): Promise<void> {
  const workers = inject("stack").processes.filter(({ name }) => name.startsWith("llm-") && name !== "llm-server");
  expect(workers.length).toBeGreaterThan(0);
  for (const { pid } of workers) process.kill(pid, "SIGSTOP");
  try {
    await act();
  } finally {
    for (const { pid } of workers) process.kill(pid, "SIGCONT");
  }
}

/** The latest first. */
const DEEDS = [
  "ended",
  "changed the instructions of",
  "sent a message to",
  "had the agent say",
  "listened in on",
  "opened the sound of", // as the page of a call that goes on does
];

/** In an operator's page: what is asked of the session by one of its buttons. */
async function demand(desk: Page, word: string, fill: string, press: string, then = "Dismiss"): Promise<void> {
  await desk.getByRole("button", { name: word, exact: true }).click();
  const dialog = desk.getByRole("dialog");
  if (fill) await dialog.getByRole("textbox").fill(fill);
  await dialog.getByRole("button", { name: press }).click();
  await desk.getByText(/stands in the log as event/).waitFor();
  await desk.getByRole("button", { name: then }).click();
}

/** Runs in a page before its own code: notes the loudest sample of what it has played. */
function hearPage(): void {
  const ear = { loudest: 0 };
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...to: unknown[]) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, ...to: unknown[]) {
    if (to[0] instanceof AudioDestinationNode) {
      const probe = new AnalyserNode(this.context, { fftSize: 32_768 }); // two seconds of it
      const samples = new Float32Array(probe.fftSize);
      connect.call(this, probe);
      setInterval(() => {
        probe.getFloatTimeDomainData(samples);
        for (const sample of samples) ear.loudest = Math.max(ear.loudest, Math.abs(sample));
      }, 250);
    }
    return connect.apply(this, to);
  } as typeof AudioNode.prototype.connect;
  Object.assign(window, { ear });
}

function isHeard(): boolean {
  return (window as unknown as { ear: { loudest: number } }).ear.loudest > 0.05;
}
