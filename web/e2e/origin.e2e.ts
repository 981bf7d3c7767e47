import { afterAll, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, sessionOf, state } from "./call";
import { serveElsewhere } from "./elsewhere";
import { speak } from "./microphone";

/** web/e2e/environment.json names them: everywhere, nowhere, and to the API alone. */
const ALLOWED = "http://app.localhost";
const FOREIGN = "http://foreign.localhost";
const HALF = "http://half.localhost";

const { port, server } = await serveElsewhere(inject("stack").api_url);
const hosts = [ALLOWED, FOREIGN, HALF].map((origin) => `MAP ${new URL(origin).host}:80 127.0.0.1:${port}`);
const { open } = inBrowser({ hosts: () => hosts });
afterAll(() => server.close());

test("From another origin that is allowed one talks, and opens the call with its sound.", async () => {
  const page = await open(ALLOWED);
  await begin(page);
  await speak(page, "capital");
  await page.getByText(/capital of France/i).waitFor();
  await state(page, "speaking");
  const session = await sessionOf(page);
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("link", { name: "Open the whole call" }).click();
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  expect(new URL(page.url()).origin).toBe(ALLOWED);
  expect(page.url()).toContain(session);
  await expect
    .poll(() => page.locator("audio").evaluate((sound: HTMLAudioElement) => sound.duration), { timeout: 10_000 })
    .toBeGreaterThan(1);
});

test("From one that is not allowed the page says which setting lets it in.", async () => {
  const page = await open(FOREIGN, { expected: /CORS policy|Failed to load resource/ });
  await page.getByText("The app can't reach its API").waitFor();
  await page.getByText(`does its API_ALLOWED_ORIGINS name ${FOREIGN}?`).waitFor();
});

test("Where only the gateway does not allow it, the call ends with what the gateway said.", async () => {
  const page = await open(HALF);
  await page.getByRole("button", { name: "Talk", exact: true }).click();
  await page.getByText("pages of this origin may not connect").waitFor();
});
