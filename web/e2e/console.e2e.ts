import { readFileSync } from "node:fs";
import { beforeAll, expect, inject, test } from "vitest";
import { PART_NAMES, PARTS } from "@/console/latency/model";
import { latency } from "@/format";
import { inBrowser } from "./browser";
import { ask, command, commandLines, finishedCall, post, read, type } from "./call";
import { gatewayOf } from "./gateways";

const { open } = inBrowser();
let session: string;
beforeAll(async () => {
  session = await finishedCall();
});

interface Shown {
  waterfall?: { turn: number; total: number; parts: Record<string, number> };
}

test("The console shows the waterfall that `antiphon show` prints.", async () => {
  const events = await commandLines<Shown>("show", session);
  const waterfalls = events.flatMap(({ waterfall }) => waterfall ?? []);
  expect(waterfalls.length).toBeGreaterThan(0);
  const page = await open(`/sessions/${encodeURIComponent(session)}`);
  for (const { turn, total, parts } of waterfalls) {
    const card = page.locator(`#turn-${turn}`);
    if (total === 0) continue; // "One moment, please", on a busy machine: nobody waited for it
    await card
      .getByText(latency(total * 1000), { exact: true })
      .first()
      .waitFor();
    const rows = card.getByRole("list", { name: `Where the time of turn ${turn} went` }).getByRole("button");
    const names = await rows.evaluateAll((all) => all.map((row) => row.textContent ?? ""));
    const shown = names.map((name) => name.replace(/^\D*?([\d.]+ m?s)\b.*$/, "$1"));
    const told = Object.values(parts).filter((seconds) => seconds > 0);
    expect(shown).toHaveLength(told.length);
    for (const [place, seconds] of told.entries()) {
      const figure = shown[place] ?? "";
      // both are rounded, by as much as the last digit that is shown
      expect(Math.abs(milliseconds(figure) - seconds * 1000)).toBeLessThanOrEqual(lastDigit(figure));
    }
  }
});

test("A finished call stands in the list, and opens, there and at the address that `antiphon open` tells.", async () => {
  const page = await open("/sessions");
  await page.locator(`a[href$="/sessions/${session}"]`).first().click();
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  const there = page.url();
  const { url } = await command<{ url: string }>("open", session);
  expect(url).toBe(there);
});

test("A bar, a word and a drag along the clock move sound and state; a link to a moment opens there; events are filtered and saved.", async () => {
  const page = await open(`/sessions/${session}`);
  const seconds = () => page.locator("audio").evaluate((audio: HTMLAudioElement) => audio.currentTime);
  const hand = page.getByRole("slider", { name: "Where the call is looked at" });
  await page.getByRole("heading", { name: "Turn 1" }).waitFor();
  await page.waitForFunction(() => (document.querySelector("audio")?.readyState ?? 0) > 0);
  const bars = page.getByRole("list", { name: /Where the time of turn 1/ }).getByRole("button");
  await bars.first().click();
  await expect.poll(seconds).toBeGreaterThan(0);
  const bar = await seconds();
  const word = page.locator("[data-word]").last();
  await word.click();
  await expect.poll(seconds).toBeGreaterThan(bar);
  expect(await word.getAttribute("data-lit")).toBe("true");

  const box = await hand.boundingBox();
  if (box === null) throw new Error("no timeline");
  await page.mouse.move(box.x + box.width - 3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width + 9, box.y + 40); // as far as it goes
  await page.getByText("The call is over").waitFor();
  await page.mouse.move(box.x + 3, box.y + 40);
  await page.getByText("The call is over").waitFor({ state: "detached" });
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.mouse.up();
  await page.getByRole("button", { name: "Link to this moment" }).click();
  await page.waitForURL(/\?t=/);
  const stands = async () => Number.parseFloat(((await hand.getAttribute("aria-valuetext")) ?? "").replace(/^0:/, ""));
  const shown = await stands();
  expect(shown).toBeGreaterThan(1);
  await page.goto(page.url());
  await expect.poll(stands).toBeCloseTo(shown, 0);

  await page.getByRole("tab", { name: /Events/ }).click();
  await page.getByRole("button", { name: /^turn \d/ }).click();
  const loading = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Download these/ }).click();
  const saved = JSON.parse(readFileSync(await (await loading).path(), "utf8")) as { type: string }[];
  expect(new Set(saved.map(({ type }) => type.split(".")[0]))).toEqual(new Set(["turn"]));
});

test("The list is filtered by agent, state and slowest turn, a call leaves it as it ends, and its pages are all of them.", async () => {
  const caller = await open("/?agent=clerk&name=Cleo");
  const cleos = await type(caller);
  const page = await open("/sessions");
  const line = (one: string) => page.locator(`a[data-session="${one}"]`);
  const none = page.getByText("No session is like that");
  await line(session).waitFor();
  await line(cleos).waitFor();
  await page.getByLabel("Agent", { exact: true }).selectOption("clerk");
  await line(session).waitFor({ state: "detached" });
  await line(cleos).waitFor();
  await page.getByLabel("State", { exact: true }).selectOption("Live");
  await line(cleos).waitFor();
  await caller.getByRole("button", { name: "Leave" }).click();
  await none.waitFor();
  await page.getByLabel("State", { exact: true }).selectOption("Ended");
  await line(cleos).waitFor();

  const found = await read<{ sessions: { session: string; worst_ms: number }[] }>(`/v1/sessions?q=${session}`);
  const worst = found.sessions[0]?.worst_ms ?? 0;
  expect(worst).toBeGreaterThan(0);
  await page.goto(`/sessions?q=${session}&slow=${Math.floor(worst)}`);
  await line(session).waitFor();
  await page.goto(`/sessions?q=${session}&slow=${Math.ceil(worst + 1)}`);
  await none.waitFor();

  const { sessions } = await read<{ sessions: { session: string }[] }>("/v1/sessions?limit=200");
  const cursors: (string | null)[] = [];
  await page.route("**/v1/sessions?*", (route) => {
    const url = new URL(route.request().url());
    cursors.push(url.searchParams.get("cursor"));
    url.searchParams.set("limit", "2"); // of fifty there are no two pages here
    return route.continue({ url: url.href });
  });
  await page.goto("/sessions");
  await page.getByText(`${sessions.length} sessions`, { exact: true }).waitFor();
  expect(cursors.length).toBe(Math.ceil(sessions.length / 2));
  expect(new Set(cursors).size).toBe(cursors.length);
  const first = await page.locator("a[data-session]").evaluateAll((all) => all.map((one) => one.dataset.session));
  expect(first).toEqual(sessions.slice(0, first.length).map((one) => one.session));
});

interface Figures {
  p50_ms: number;
  p95_ms: number;
}

test("The latency page shows median and 95th percentile, of answers and of each of their parts, as the API tells them, and others as the next answer comes.", async () => {
  const page = await open("/latency");
  const answers = page.getByText(/^\d+ answers?$/);
  const before = Number.parseInt((await answers.textContent()) ?? "", 10);
  expect(before).toBeGreaterThan(0);
  const caller = await open("/");
  await type(caller);
  await ask(caller, "What is the capital of France?");
  await page.getByText(new RegExp(`^${before + 1} answers$`)).waitFor();

  const hour = new Date(Date.now() - 3_600_000).toISOString();
  const { total } = await read<{ total: Figures & { parts: Record<string, Figures> } }>(`/v1/latency?since=${hour}`);
  const figures = page.getByRole("main").locator("p");
  await figures.filter({ hasText: `Median${latency(total.p50_ms)}` }).waitFor();
  await figures.filter({ hasText: `95th percentile${latency(total.p95_ms)}` }).waitFor();
  for (const part of PART_NAMES) {
    const told = total.parts[part];
    const row = page.getByRole("listitem").filter({ hasText: PARTS[part].meaning });
    expect(await row.textContent()).toContain(`median ${latency(told?.p50_ms)}p95 ${latency(told?.p95_ms)}`);
  }
});

test("The queues page lists the gateways, with their calls; dead letters come and go while one looks, whoever puts them away; their call is found among those with failures.", async () => {
  const { agent } = await post<{ agent: string }>("/v1/agents/drafts", { toml: 'llm.provider = "nowhere"\n' });
  const page = await open("/queues");
  const caller = await open(`/?agent=${agent}&name=Faye`);
  const faye = await type(caller);
  const gateway = await gatewayOf(faye);
  const gateways = page.locator("section").filter({ has: page.getByRole("heading", { name: "Gateways" }) });
  await expect.poll(() => gateways.getByRole("listitem").count()).toBe(inject("stack").gateways.length);
  const calls = gateways.getByRole("listitem").filter({ hasText: gateway });
  await calls.getByText(/^[1-9]\d* sessions?, room for/).waitFor();

  await ask(caller, "Are you there?");
  const letter = page.getByRole("listitem").filter({ hasText: faye });
  await letter.waitFor();
  const { letters } = await read<{ letters: { id: string; session: string }[] }>("/v1/dead-letters?stage=llm");
  const own = letters.filter((one) => one.session === faye);
  expect(own).toHaveLength(1);
  const away = `${inject("stack").api_url}/v1/dead-letters/${encodeURIComponent(own[0]?.id ?? "")}`;
  expect((await fetch(away, { method: "DELETE" })).ok).toBe(true);
  await letter.waitFor({ state: "detached" });

  await caller.getByRole("button", { name: "Leave" }).click();
  await page.goto(`/sessions?q=${faye}`);
  await page.getByLabel("With failures").check();
  await page.getByRole("row").filter({ hasText: "1 turn failed" }).waitFor();
  await page.goto(`/sessions?q=${session}&failed=1`);
  await page.getByText("No session is like that").waitFor();
});

test("A page that is gone to while the API does not answer says so, and is there once it does.", async () => {
  const page = await open("/sessions", { expected: /Failed to fetch dynamically imported module/ });
  await page.locator(`a[href$="/sessions/${session}"]`).first().waitFor();
  await page.context().route("**", (route) => route.abort("connectionrefused"));
  await page.getByRole("link", { name: "Latency" }).click();
  const failed = page.getByRole("main").getByRole("alert");
  await failed
    .getByText(/can.t be/)
    .first()
    .waitFor();
  await page.context().unroute("**");
  await failed.getByRole("button", { name: "Try again" }).click();
  await page.getByText("95th percentile").waitFor();
});

/** What one in the last digit of a figure is, ms; of "840 ms", which `antiphon show` rounds to whole ones as well, one and a half. */
function lastDigit(figure: string): number {
  return figure.endsWith(" ms") ? 1.5 : 1000 / 10 ** (figure.split(".")[1] ?? "").replace(/\D/g, "").length;
}

/** "840 ms" or "1.40 s". */
function milliseconds(figure: string): number {
  return Number.parseFloat(figure) * (figure.endsWith(" ms") ? 1 : 1000);
}
