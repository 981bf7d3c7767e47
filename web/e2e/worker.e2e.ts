import { expect, test } from "vitest";
import { inBrowser } from "./browser";
import { finishedCall, type } from "./call";

const { open } = inBrowser();

test("The app can be installed; it opens without a network and shows the newest build with one; nothing of a call, and nothing of the API, is kept.", async () => {
  const session = await finishedCall();
  const page = await open("/", {
    worker: true,
    expected: /ERR_INTERNET_DISCONNECTED/,
    before: (context) =>
      context.addInitScript(async () => {
        if (location.protocol !== "http:" || sessionStorage.getItem("old")) return; // the browser's own page while offline
        sessionStorage.setItem("old", "1");
        const old = new Response("<!doctype html>An older build", { headers: { "content-type": "text/html" } });
        await (await caches.open("antiphon-app-0")).put("/index.html", old); // of a worker before this one
      }),
  });
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=manifest]");
    return (await fetch(link?.href ?? "")).json();
  });
  expect(manifest).toMatchObject({ name: "Antiphon", start_url: "/", display: "standalone" });
  const chrome = await page.context().newCDPSession(page);
  const { installabilityErrors } = await chrome.send("Page.getInstallabilityErrors");
  const lacking = installabilityErrors.map(({ errorId }) => errorId);
  expect(lacking.filter((one) => one !== "in-incognito")).toEqual([]); // as every page of a test is

  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    const kept = new Response("<!doctype html>An older build", { headers: { "content-type": "text/html" } });
    for (const name of await caches.keys()) await (await caches.open(name)).put("/index.html", kept);
  });
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.reload();
  await type(page);
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByText("You left the call.").waitFor();
  await page.goto(`/sessions/${session}`);
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();

  const kept = await page.evaluate(async () => {
    const names = await caches.keys();
    const caches_ = await Promise.all(names.map((name) => caches.open(name)));
    const requests = await Promise.all(caches_.map((cache) => cache.keys()));
    return { names, paths: requests.flat().map(({ url }) => new URL(url).pathname) };
  });
  expect(kept.names).toHaveLength(1);
  expect(kept.paths).toContain("/index.html");
  expect(kept.paths.length).toBeGreaterThan(1);
  expect(kept.paths.filter((path) => path !== "/index.html" && !path.startsWith("/assets/"))).toEqual([]);

  await page.context().setOffline(true);
  await page.reload();
  await page.getByText("The app can't reach its API").waitFor();
});
