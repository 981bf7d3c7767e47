import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { inBrowser } from "./browser";
import { eventsOf, newCall, read } from "./call";

const { open } = inBrowser();
let session: string;
beforeAll(async () => {
  session = await newCall();
});

interface Told {
  forked_from: { session: string; turn: number } | null;
  turns: { turn: number }[];
}

/** Workers that others keep busy take a while. */
const WORK = { timeout: 90_000 };

test("A call is forked from a turn with other instructions, and compared with what it was, which stays as it is.", async () => {
  const before = await eventsOf(session);
  const { turns } = await read<Told>(`/v1/sessions/${session}`);
  const turn = turns.at(-1)?.turn ?? 1;
  const page = await open(`/sessions/${session}`);
  await page.getByRole("button", { name: `Fork from here: turn ${turn}` }).click();
  const dialog = page.getByRole("dialog");
  const fork = dialog.getByRole("button", { name: `Fork from turn ${turn}` });
  await dialog.getByText("Nothing is changed yet").waitFor();
  expect(await fork.isDisabled()).toBe(true);
  await dialog.getByLabel("Instructions").fill("Answer every question with one short sentence about the sea.");
  await dialog.getByLabel("Any end (s)").fill("99");
  await dialog.getByText("0.1 to 10").waitFor();
  expect(await fork.isDisabled()).toBe(true);
  await dialog.getByLabel("Any end (s)").fill("1.4");
  await fork.click();
  await dialog.getByRole("link", { name: "Compare" }).click(WORK);

  await page.getByRole("heading", { name: "Compare", level: 1 }).waitFor();
  const settings = page.locator("section").filter({ has: page.getByRole("heading", { name: "Settings that differ" }) });
  await settings.getByText("instructions", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Play (space)" }).click();
  const slider = page.getByRole("slider", { name: "Where both are looked at" });
  await page.getByRole("button", { name: "Pause (space)" }).waitFor();
  await page.getByRole("button", { name: "Pause (space)" }).click();
  await slider.focus();
  await slider.press("End");
  await expect.poll(async () => Number(await slider.getAttribute("aria-valuenow"))).toBeGreaterThan(1);

  const name = new URL(page.url()).searchParams.get("b") ?? "";
  const { forked_from } = await read<Told>(`/v1/sessions/${encodeURIComponent(name)}`);
  expect(forked_from).toMatchObject({ session, turn });
  expect(await eventsOf(session)).toEqual(before);
  await page.goto(`/sessions/${encodeURIComponent(name)}`);
  await page.getByText("A fork of").waitFor();
  await page.getByText("changed: ", { exact: false }).waitFor();
  await page.getByRole("link", { name: session, exact: true }).click();
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  await page.getByRole("link", { name, exact: true }).waitFor(); // it is forked as that
  await page.getByRole("link", { name: "Sessions", exact: true }).click();
  await page.locator(`a[data-session="${name}"]`).getByRole("img", { name: "A fork" }).waitFor();
});

test("A call is exported, imported again under its own name once it was deleted, and was deleted for good only after it was meant.", async () => {
  const page = await open(`/sessions/${session}`);
  const loading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const file = await (await loading).path();
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  const sure = dialog.getByRole("button", { name: "Delete for good" });
  expect(await sure.isDisabled()).toBe(true);
  await dialog.getByLabel(/^Type/).fill("delete");
  await sure.click();
  await dialog.getByText("1 call is deleted for good").waitFor(WORK);
  await dialog.getByRole("link", { name: "To the sessions" }).click();
  await page.locator(`a[data-session="${session}"]`).waitFor({ state: "detached" });
  await page.goto("/replays");
  await page.getByRole("link", { name: "Proofs of deletion" }).click();
  const proof = page.getByRole("list", { name: "Proofs" }).getByRole("listitem").first();
  await proof.getByText("Calls, one by one").waitFor();
  await proof.getByText("What they were").click();
  await proof.getByText(createHash("sha256").update(session).digest("hex")).waitFor();

  await page.goto("/sessions");
  const whole = readFileSync(file);
  await importing(page, whole.subarray(0, whole.length - 400)); // its end is cut off
  await dialog.getByRole("alert").waitFor(WORK);
  await dialog.getByRole("button", { name: "Close" }).click();
  await importing(page, whole);
  await dialog.getByRole("link", { name: session }).click(WORK);
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
});

async function importing(page: Page, buffer: Buffer): Promise<void> {
  await page.getByRole("button", { name: "Import" }).click();
  await page
    .locator("input[type=file]")
    .setInputFiles([{ name: `${session}.zip`, mimeType: "application/zip", buffer }]);
  await page.getByLabel("Salvage").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Import" }).click();
}

test("Many calls are replayed with another setting; what got better and worse stands beside each.", async () => {
  const page = await open("/sessions");
  await page.getByRole("link", { name: "Replay these" }).click();
  await page.getByText(/calls? pass(es)? the filter/).waitFor();
  await page.getByLabel("At most (calls)").fill("1");
  await page.getByLabel("Any end (s)").fill("2.5");
  await page.getByRole("button", { name: "Replay them" }).click();
  await page.getByRole("heading", { name: "Batch" }).waitFor();
  await page.getByText("Median wait").waitFor(WORK);
  await page.getByRole("link", { name: "Compare" }).click();
  await page.getByRole("heading", { name: "Compare", level: 1 }).waitFor();
});
