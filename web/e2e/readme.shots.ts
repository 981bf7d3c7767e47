import { join } from "node:path";
import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { begin, sessionOf, state } from "./call";
import { speak } from "./microphone";
import { ROOT } from "./paths";

const { open } = inBrowser({ webgl: true });
const SIZE = { width: 1200, height: 760 };
/** Of the call: a face takes many bytes. */
const CALL = { width: 1180, height: 700 };

test("The two pictures of README.md, of a real call: README_SHOTS=1 npm run e2e", async () => {
  // here it is drawn without a GPU: it is asked for all the same
  const page = await open("/", { size: CALL, scale: 1, avatar: { slow: 9 } });
  await begin(page);
  await page.getByRole("button", { name: "Show it anyway" }).click();
  await page.locator("[data-avatar=shown]").waitFor();
  const session = await sessionOf(page);
  await speak(page, "capital");
  await state(page, "speaking");
  await page
    .getByText(/^\d+ ms$|^\d\.\d+ s$/)
    .first()
    .waitFor();
  await state(page, "listening");
  await speak(page, "story");
  await state(page, "speaking");
  // some words said, others to come; what this LLM answers may be too short for that
  const underway = () =>
    (document.querySelector("[data-coming]")?.previousElementSibling?.textContent ?? "").length > 12;
  await page.waitForFunction(underway, undefined, { timeout: 8_000 }).catch(() => {});
  await page.screenshot({ path: join(ROOT, "docs/images/call.png") });
  await speak(page, "stop"); // a turn that was interrupted
  await state(page, "speaking").catch(() => {});
  await state(page, "listening");
  await page.getByRole("button", { name: "Leave" }).click();

  await page.setViewportSize(SIZE);
  await page.goto(`/sessions/${session}`);
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  await page.locator("[id^=turn-]").getByText("dragon").last().click();
  await page.waitForTimeout(1_500); // the waveform is drawn
  await page.screenshot({ path: join(ROOT, "docs/images/console.png") });
  expect(page.url()).toContain(session);
});
