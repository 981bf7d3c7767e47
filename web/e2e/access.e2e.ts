import type { Page } from "playwright-core";
import { afterAll, expect, inject, test } from "vitest";
import { inBrowser } from "./browser";

/** A name that is none of this machine's own: web/e2e/environment.json lets it in. */
const AWAY = "http://plain.test";
const { open } = inBrowser({
  microphone: "none",
  hosts: () => [`MAP plain.test:80 ${new URL(inject("stack").api_url).host}`],
});
/** Told by the browser itself; COOP counts on https only. */
const refused = { expected: /status of 40[13]|Cross-Origin-Opener-Policy/ };

let annas = "";

/** The stack is everybody's again. */
afterAll(async () => {
  const all = `${inject("stack").api_url}/v1/keys`;
  const headers = { authorization: `Bearer ${annas}` };
  const { keys } = (await (await fetch(all, { headers })).json()) as { keys: { id: string }[] };
  for (const { id } of keys.reverse()) await fetch(`${all}/${id}`, { method: "DELETE", headers }); // Anna's own is the oldest
});

test("A key that is made in one browser signs in another, elsewhere, and opens there what its role may; its successor does when it is removed; the record names all.", async () => {
  const admin = await open("/access", refused);
  await admin.getByText("Development mode.").waitFor();
  annas = await addKey(admin, "anna");
  await admin.getByRole("button", { name: "Sign out anna" }).first().waitFor();
  await admin.getByText("Development mode.").waitFor({ state: "detached" });
  const olgas = await addKey(admin, "olga", "operator");

  const other = await open(`${AWAY}/queues`, refused);
  await signIn(other, `${olgas.slice(0, -4)}0000`);
  await other.getByText("there is no such key", { exact: false }).waitFor();
  await signIn(other, olgas);
  await other.getByRole("heading", { name: "Queues" }).waitFor();
  expect(await places(other)).toEqual(["Antiphon", "Talk", "Sessions", "Replays", "Latency", "Queues", "Agents"]);
  await other.goto(`${AWAY}/access`);
  await other.getByText("This page is for the role admin").waitFor();
  await other.getByText("You are olga, with the role operator.").waitFor();

  await keysOf(admin, "olga").getByRole("button", { name: "Replace" }).click();
  const next = await made(admin); // while the old one is good
  await other.getByRole("link", { name: "Agents" }).click();
  await other.getByText("Changing agents").or(other.getByText("No agent is chosen")).first().waitFor();
  await remove(admin, "olga");
  const again = other.getByRole("dialog", { name: "Sign in again" });
  const reload = other.getByRole("button", { name: "Reload" });
  await expect.poll(async () => (await again.isVisible()) || reload.click({ timeout: 500 }).catch(() => {})).toBe(true);
  await signIn(other, next);
  await again.waitFor({ state: "detached" });
  await other.getByText("No agent is chosen").waitFor(); // what was open is

  const carls = await addKey(admin, "carl", "caller");
  await other.getByRole("button", { name: "Sign out olga" }).first().click();
  await signIn(other, carls);
  await other.getByText("This page is for the role operator").waitFor();
  expect(await places(other)).toEqual(["Antiphon", "Talk"]);

  await admin.getByRole("link", { name: "What was done" }).click();
  for (const deed of ["anna removed a key", "anna added a key"])
    await admin.getByRole("listitem").filter({ hasText: deed }).first().waitFor();
});

/** On the page of keys: a new one, as it is shown once. */
async function addKey(page: Page, name: string, role?: "caller" | "operator"): Promise<string> {
  await page.getByRole("button", { name: "Add a key" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(name);
  if (role) await dialog.getByLabel("Role").selectOption(role);
  const shown = await made(page);
  await keysOf(page, name).last().waitFor();
  return shown;
}

/** The key that the open dialog makes. */
async function made(page: Page): Promise<string> {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Add" }).click();
  const shown = await dialog.getByText(/^antiphon_/).textContent();
  await dialog.getByRole("button", { name: "Done" }).click();
  return shown ?? "";
}

/** The oldest of this name. */
async function remove(page: Page, name: string): Promise<void> {
  const count = await keysOf(page, name).count();
  await keysOf(page, name).first().getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect.poll(() => keysOf(page, name).count()).toBe(count - 1);
}

function keysOf(page: Page, name: string) {
  return page.getByRole("main").getByRole("listitem").filter({ hasText: name });
}

async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel("Key").fill(key);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

function places(page: Page): Promise<string[]> {
  return page.getByRole("navigation", { name: "Main" }).getByRole("link").allTextContents();
}
