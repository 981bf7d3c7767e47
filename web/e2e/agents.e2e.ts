import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, type } from "./call";

const { open } = inBrowser();

test("An agent is read and written: mistakes stand at their lines, of two editors neither loses a word, and what is changed on disk is there at once; drafts are tried in calls, one after the other; its job that fails is seen, retried and put away.", async () => {
  const page = await open("/agents", { expected: /status of 412/ }); // of two editors one is refused
  await page.getByRole("link", { name: /clerk/ }).click();
  const text = page.getByRole("textbox", { name: "The file of clerk" });
  const unsaved = page.getByText("Not saved", { exact: true });
  await text.fill('greeting = "Hello."\ntemprature = 3\n');
  await page.getByRole("button", { name: "Line 2" }).click();
  expect(await text.evaluate((area: HTMLTextAreaElement) => area.selectionStart)).toBe(20);

  await text.fill('greeting = "Mine."\n');
  const other = await open("/agents/clerk");
  await other.getByRole("textbox", { name: "The file of clerk" }).fill('greeting = "Theirs."\n');
  await other.getByRole("button", { name: "Save" }).click();
  await other.getByText("Not saved", { exact: true }).waitFor({ state: "detached" });
  const conflict = page.getByText("This file was changed on disk since you began");
  await conflict.waitFor(); // without a key
  expect(await text.inputValue()).toBe('greeting = "Mine."\n');
  await page.getByRole("button", { name: "Save" }).click();
  await conflict.waitFor();
  await page.getByText("What stands there now").click();
  await page.getByText('greeting = "Theirs."').waitFor();
  await page.getByRole("button", { name: "Go on with mine" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await unsaved.waitFor({ state: "detached" });
  const shown = () => other.getByRole("textbox", { name: "The file of clerk" }).inputValue();
  await expect.poll(shown).toBe('greeting = "Mine."\n'); // where nothing was written
  writeFileSync(join(inject("stack").data, "agents", "clerk.toml"), 'greeting = "By hand."\n');
  for (const one of [page, other])
    await expect.poll(() => one.getByRole("textbox").inputValue()).toBe('greeting = "By hand."\n');
  await other.getByRole("button", { name: "Reload" }).click();
  await other.getByText("All files were read again.").waitFor();

  await text.fill('greeting = "This is a draft."\nllm.provider = "nowhere"\n');
  await page.getByRole("button", { name: "Try in a call" }).click();
  const session = await type(page);
  const said = page.locator("[data-said]");
  await said.filter({ hasText: "This is a draft." }).waitFor();
  for (const number of [1, 2]) {
    await ask(page, "Are you there?");
    await said
      .filter({ hasText: "I'm" }) // sorry; of the first no more was heard where one asks again
      .nth(number - 1)
      .waitFor();
  }

  await other.getByRole("link", { name: "Queues" }).click();
  const letters = other.getByRole("listitem").filter({ hasText: session });
  await letters.nth(1).waitFor();
  await letters.first().getByRole("button", { name: "Retry" }).click();
  await other.getByText("the job is in its queue again").waitFor();
  const letter = letters.last(); // its turn was over before, too
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByText("You left the call.").waitFor();
  await letter.getByRole("button", { name: "Retry" }).click();
  await letter.getByText(/^Not retried: /).waitFor();
  await letter.getByRole("button", { name: "Discard" }).click();
  await other.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  await other.getByText(/put away for good/).waitFor();

  await page.getByRole("link", { name: "Agents" }).click();
  await page.getByRole("link", { name: /clerk/ }).click();
  await unsaved.waitFor(); // what was tried is still there

  await text.fill('greeting = "This is another draft."\n');
  await page.getByRole("button", { name: "Try in a call" }).click();
  expect(await type(page)).not.toBe(session);
  await said.filter({ hasText: "This is another draft." }).waitFor();
  await page.getByRole("link", { name: "Agents" }).click();
  await page.getByRole("link", { name: /clerk/ }).click();
  await text.fill('greeting = "This is the third."\n');
  await page.getByRole("button", { name: "Try in a call" }).click();
  await page.getByText(/^The call with draft-\S+ is still on\. The draft can be tried after leaving it\.$/).waitFor();
  await page.getByRole("link", { name: "Return to the call" }).click();
  await said.filter({ hasText: "This is another draft." }).waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Leave the call" }).click();
  await page.getByRole("button", { name: "Type instead" }).waitFor();
});
