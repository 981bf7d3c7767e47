import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, eventsOf, state, type } from "./call";

const { open } = inBrowser();

/** By tests/e2e/test_pizza.py, on a stack that was started as docs/pizza.md says. */
test("Who types an order has it read back, agrees, and finds in the console what was done.", async () => {
  const page = await open("/");
  const session = await type(page);
  const said = (text: string | RegExp) => page.locator("[data-said]").filter({ hasText: text }).last().waitFor();
  const answer = async (text: string, expected: string | RegExp) => {
    await state(page, "listening");
    await ask(page, text);
    await said(expected);
  };
  await answer("Three small verduras, please.", "What name is it under?");
  await answer("Anna Berg.", "Anna Berg, is that right?");
  await answer("Yes.", "Shall I place the order?");
  await answer("Yes, please.", /Your number is \d+/);
  await state(page, "listening");
  await page.getByRole("button", { name: "Leave" }).click();
  const events = await eventsOf(session);
  expect(events.filter(({ type }) => type === "tool.called").length).toBe(4);

  await page.goto(`/sessions/${session}`);
  await page.getByText("place_order").first().waitFor();
  await page
    .getByText(/3 small verdura for 27 euros/)
    .first()
    .waitFor();
});
