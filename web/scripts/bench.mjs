// npm run bench: for `antiphon bench console`. Looks at a console that is full, and prints what the browser says of itself:
// when it painted, the longest task and the frames of each act. BENCH: JSON with url, browser, past, live (sessions), seconds.
import { chromium } from "playwright-core";

const { url, browser: executablePath, past, live, seconds } = JSON.parse(process.env.BENCH ?? "{}");
const SIZE = { width: 1440, height: 900 };

/** Runs in the page, before any of its own code. */
function observe() {
  window.seen = { tasks: [], frames: [] };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.seen.tasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
  const frame = (at) => {
    window.seen.frames.push(at);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const acts = {};
try {
  const context = await browser.newContext({ baseURL: url, viewport: SIZE, serviceWorkers: "block" });
  await context.addInitScript(observe);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);

  /** Do something, then say what it cost. */
  const act = async (name, work) => {
    const began = await page.evaluate(() => performance.now()).catch(() => 0);
    const started = Date.now();
    await work();
    const took = Date.now() - started;
    const told = await page.evaluate(
      (from) => {
        const tasks = window.seen.tasks.filter(({ startTime }) => startTime >= from).map(({ duration }) => duration);
        const frames = window.seen.frames.filter((at) => at >= from);
        const gaps = frames.slice(1).map((at, index) => at - frames[index]);
        return { tasks, gaps, rows: document.querySelectorAll("[role=option], tbody tr, article").length };
      },
      opensAnew(name) ? 0 : began,
    );
    const gaps = [...told.gaps].sort((one, other) => one - other);
    const total = gaps.reduce((sum, gap) => sum + gap, 0);
    acts[name] = {
      ms: took,
      longest_task_ms: Math.round(Math.max(0, ...told.tasks)),
      frames_per_s: Math.round((gaps.length / Math.max(total, 1)) * 1_000),
      worst_frame_ms: Math.round(gaps.at(-1) ?? 0),
      rows: told.rows,
    };
  };
  const wheel = async (by, steps) => {
    for (let step = 0; step < steps; step++) {
      await page.mouse.wheel(0, by);
      await page.waitForTimeout(16);
    }
  };
  const steps = Math.round((seconds * 1_000) / 16);

  // once for the browser's own start, then as somebody comes
  await page.goto("/");
  const paints = [];
  let bytes = 0;
  for (let round = 0; round < 3; round++) {
    const fresh = await browser.newContext({ baseURL: url, viewport: SIZE, serviceWorkers: "block" });
    const first = await fresh.newPage();
    await first.goto("/", { waitUntil: "load" });
    await first.getByRole("button", { name: "Talk", exact: true }).waitFor();
    const told = await first.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
      bytes: performance.getEntriesByType("resource").reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
    }));
    paints.push(told.paint);
    bytes = told.bytes;
    await fresh.close();
  }
  paints.sort((one, other) => one - other);

  await act("open_past", async () => {
    await page.goto(`/sessions/${past}`);
    await page.locator("article").first().waitFor();
    await page.locator("aside[aria-busy=false]").waitFor();
  });
  await act("scroll_turns", async () => {
    await page.mouse.move(400, 700);
    await wheel(240, steps);
  });
  await act("drag", async () => {
    const clock = await page.getByRole("slider", { name: /looked at/ }).boundingBox();
    await page.mouse.move(clock.x + 5, clock.y + 60);
    await page.mouse.down();
    for (let step = 0; step < steps; step++) {
      await page.mouse.move(clock.x + 5 + (step / steps) * (clock.width - 10), clock.y + 60);
      await page.waitForTimeout(16);
    }
    await page.mouse.up();
  });
  await act("drag_at_events", async () => {
    await page.getByRole("tab", { name: /^Events/ }).click();
    const clock = await page.getByRole("slider", { name: /looked at/ }).boundingBox();
    await page.mouse.move(clock.x + clock.width - 5, clock.y + 60);
    await page.mouse.down();
    for (let step = 0; step < steps; step++) {
      await page.mouse.move(clock.x + (1 - step / steps) * (clock.width - 10), clock.y + 60);
      await page.waitForTimeout(16);
    }
    await page.mouse.up();
  });
  await act("scroll_events", async () => {
    const list = await page.getByRole("listbox", { name: "Events" }).boundingBox();
    await page.mouse.move(list.x + 100, list.y + 100);
    await wheel(400, steps);
  });
  await act("look_for", async () => {
    await page.getByRole("searchbox", { name: "Look for" }).pressSequentially("weather", { delay: 60 });
    await page.getByText(/^\d+ of \d+ events/).waitFor();
  });
  await act("link", async () => {
    await page.goto(`/sessions/${past}?event=9000`);
    await page.locator("#event-9000[aria-selected=true]").waitFor();
  });
  await act("play", async () => {
    await page.getByRole("button", { name: /^Play \(/ }).click();
    await page.waitForTimeout(seconds * 1_000);
  });
  await act("follow_live", async () => {
    await page.goto(`/sessions/${live}`);
    await page.locator("article").first().waitFor();
    await page.locator("aside[aria-busy=false]").waitFor();
    await page.waitForTimeout(seconds * 2_000);
  });
  await act("follow_sessions", async () => {
    await page.goto("/sessions");
    await page.locator("tbody tr").first().waitFor();
    await page.waitForTimeout(seconds * 1_000);
  });
  await act("scroll_sessions", async () => {
    await page.mouse.move(700, 600);
    await wheel(240, steps);
  });

  const scrolled = ["scroll_turns", "scroll_events", "scroll_sessions"].map((name) => acts[name].frames_per_s);
  const tasks = Object.values(acts).map((one) => one.longest_task_ms);
  console.log(
    JSON.stringify({
      first_paint_ms: Math.round(paints[1]),
      first_load_kb: Math.round(bytes / 1_000),
      scroll_frames_per_s: Math.min(...scrolled),
      longest_task_ms: Math.max(...tasks),
      acts,
      browser: browser.version(),
    }),
  );
} finally {
  await browser.close();
}

/** Of an act that opens a page anew all counts. */
function opensAnew(name) {
  return ["open_past", "link", "follow_live", "follow_sessions"].includes(name);
}
