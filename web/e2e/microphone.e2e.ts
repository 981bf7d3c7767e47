import type { Page } from "playwright-core";
import { describe, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { ask, state } from "./call";

/** Types a question, and is answered. */
async function types(page: Page): Promise<void> {
  await state(page, "listening");
  await ask(page, "What is the capital of France?");
  await page.locator("[data-said]").filter({ hasText: /\w/ }).waitFor();
}

describe("before a call", () => {
  const { open } = inBrowser();
  const checked = async (page: Page) => {
    await page.getByRole("button", { name: "Check the microphone" }).click();
    await page.getByText("Say something").waitFor();
  };
  test("once the microphone is checked, loudspeaker, camera and resolution are chosen, and are kept for the next call.", async () => {
    const page = await open("/");
    await page.getByRole("button", { name: "Name, room and devices" }).click();
    await checked(page);
    await page.getByLabel("Microphone", { exact: true }).waitFor();
    const speakers = await page.evaluate(async () => {
      const devices = await navigator.mediaDevices.enumerateDevices();
      return devices.filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId !== "").length;
    });
    await expect.poll(() => page.getByLabel("Loudspeaker").count()).toBe(Math.min(speakers, 1)); // not every machine has one
    expect(await page.getByLabel("Camera resolution").count()).toBe(0);
    await page.getByText("LiveKit", { exact: true }).click();
    await page.getByLabel("Camera", { exact: true }).waitFor();
    await page.getByLabel("Camera resolution").selectOption("360p");
    await page.reload();
    await checked(page);
    expect(await page.getByLabel("Camera resolution").inputValue()).toBe("360p");
  });
});

describe("a microphone that nobody allows", () => {
  const { open } = inBrowser({ microphone: "unasked" });
  test("is told of in the call, with what to do, and the field to type in is there.", async () => {
    const page = await open("/");
    await page.getByRole("button", { name: "Talk", exact: true }).click();
    await page.getByText("Allow it beside the address, then try again. Until then you can type.").first().waitFor();
    await page.getByRole("button", { name: "Use a microphone" }).waitFor();
    await state(page, "listening");
    await page.getByRole("textbox", { name: "Type to the agent" }).waitFor();
  });
});

describe("a machine without a microphone", () => {
  const { open } = inBrowser({ microphone: "none" });
  test("is told of in the call; who chooses to type is asked for none, and is answered.", async () => {
    const page = await open("/");
    await page.getByRole("button", { name: "Talk", exact: true }).click();
    await page.getByText("No microphone was found. Plug one in, then try again.").first().waitFor();
    await state(page, "listening"); // who leaves before that is offered to try again
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("button", { name: "Talk again" }).click();
    await page.getByRole("button", { name: "Type instead" }).click();
    await types(page);
    expect(await page.getByText("No microphone was found.").count()).toBe(0);
  });
});

describe("a page on plain http", () => {
  const hosts = () => [`MAP plain.test:80 127.0.0.1:${new URL(inject("stack").api_url).port}`];
  const { open } = inBrowser({ microphone: "unasked", hosts });
  test("says that browsers give it no microphone, and one can type from the beginning.", async () => {
    const page = await open("http://plain.test", { expected: /Cross-Origin-Opener-Policy/ });
    await page.getByText(/Browsers give the microphone to pages on https and on localhost only/).waitFor();
    await page.getByRole("button", { name: "Type to the agent" }).click();
    await state(page, "listening");
    await page.getByRole("textbox", { name: "Type to the agent" }).waitFor();
  });
});
