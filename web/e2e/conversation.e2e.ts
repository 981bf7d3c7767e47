import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { answersOf, begin, sessionOf, state } from "./call";
import { apart, WITNESSED, witnessed, wordsOf } from "./ear";
import { followLines, oneLine } from "./interim";
import { speak } from "./microphone";

const { open } = inBrowser();

test("Three spoken turns by WebSocket, the first by push-to-talk, the second cut short by the third, are heard, answered and timed; words stand in grey until they are sure, and in ink in the same place.", async () => {
  const page = await open("/", WITNESSED);
  await begin(page);
  const words = page.getByRole("region", { name: "Transcript" });
  const said = words.locator("[data-said]");
  const filler = "One moment, please"; // a busy machine says so before an answer
  const answers = said.filter({ hasNotText: filler });
  /** The words of the answer of that number, from 1. */
  const wordsOfAnswer = async (number: number) => {
    const places = [...(await said.allTextContents()).entries()].filter(([, text]) => !text.includes(filler));
    return wordsOf(await witnessed(page), (places[number - 1]?.[0] ?? -1) + 1);
  };

  const push = page.getByRole("switch", { name: "Push-to-talk" });
  await push.click();
  await speak(page, "first"); // nobody hears it
  await page.keyboard.down("Space");
  await page.getByRole("button", { name: "Release to send", pressed: true }).waitFor();
  await speak(page, "capital");
  await page.keyboard.up("Space");
  await push.click();
  await words.getByText(/capital of France/i).waitFor();
  expect(await words.getByText(/first question/i).count()).toBe(0);
  await state(page, "speaking");
  await state(page, "listening");
  await words.getByRole("button", { name: /^This answer took/ }).waitFor();
  expect(await answers.textContent()).not.toBe("");
  expect(await words.locator("[data-coming]").count()).toBe(0);
  const first = await wordsOfAnswer(1);
  expect(first.map(({ text }) => text).join(" ")).toBe(await answers.textContent());
  expect(apart(first)).toEqual([]);

  const spoken = await followLines(page);
  await speak(page, "story");
  await state(page, "speaking");
  expect(await oneLine(spoken)).toMatch(/story/i);
  await answers
    .nth(1)
    .filter({ hasText: /(\S+ ){4}\S/ }) // sooner it would be taken back
    .waitFor();
  await speak(page, "stop");
  await words.getByText(/cut off/).waitFor();
  const second = (await wordsOfAnswer(2)).filter(({ heard }) => heard !== null);
  const cutIn = second.at(-1); // it began to sound, and may be none of those that were heard
  expect(apart(second.filter((word) => word.lit !== null || word !== cutIn))).toEqual([]);
  const cut = (await answers.nth(1).textContent()) ?? "";
  const off = Math.abs(cut.split(" ").length - second.length);
  expect(off, `"${cut}", and ${second.length} words began to sound`).toBeLessThan(2);
  await words.getByText(/sky/i).waitFor();
  await answers.nth(2).filter({ hasText: /\w/ }).waitFor();

  const session = await sessionOf(page);
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByText("You left the call.").waitFor();
  await expect.poll(async () => (await answersOf(session)).slice(0, 2)).toEqual(["played", "interrupted"]);

  await page.getByRole("link", { name: "Open the whole call" }).click();
  await page
    .getByRole("heading", { name: /^Turn [3-9]/ })
    .last()
    .waitFor();
  expect(new URL(page.url()).pathname).toBe(`/sessions/${session}`);
});
