import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import { scriptMicrophone } from "./microphone";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** CHROMIUM, or the one on PATH; "" where there is none. */
export function chromiumPath(): string {
  return onPath(NAMES, process.env.CHROMIUM);
}

/** The first program of these names; `set`: what a setting names goes before. "" where there is none. */
export function onPath(names: string[], set = ""): string {
  const places = (process.env.PATH ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return [set, ...places].find(executable) ?? "";
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path !== "";
  } catch {
    return false;
  }
}

export const PHONE = { width: 390, height: 844 };
export const TABLET = { width: 820, height: 1180 };
export const DESK = { width: 1440, height: 900 };

/** WebGL without a GPU, and nothing else by it: the page beside it would be most of the work. */
const IN_SOFTWARE = [
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--webgl-msaa-sample-count=0",
  "--disable-gpu-compositing",
];
/** Of a page's pixels one in 16 is drawn there. */
const COARSE = 0.25;

interface Options {
  size?: { width: number; height: number };
  /** Pixels of the screen for one of the page: 1, or few of them where it has WebGL. */
  scale?: number;
  theme?: "light" | "dark";
  /** Without a GPU it draws a few frames a second, and takes the processor from everything else: off unless asked for, as it comes or
   * with what was chosen of it. */
  avatar?: boolean | object;
  /** What is done to the page's context before it is opened. */
  before?: (context: BrowserContext) => Promise<unknown>;
  /** What its console may complain of. */
  expected?: RegExp;
  bypassCSP?: boolean;
  /** With the app's service worker, which keeps its files. */
  worker?: boolean;
}

interface Browsing {
  /** "scripted": it says what `speak` has it say. Else the browser's own: "unasked", which nobody allows, or "none". */
  microphone?: "scripted" | "unasked" | "none";
  /** Hosts as the browser finds them: "MAP app.localhost:80 127.0.0.1:4567". */
  hosts?: () => string[];
  /** Its pages are there until its last test is over, not each until its own is. */
  kept?: boolean;
  /** It has WebGL, which the avatar needs. In software it costs every page a seventh more of the processor. */
  webgl?: boolean;
}

/** By how they were started: whoever wants the same has the same, until the process ends, and they with it. */
const running = new Map<string, Promise<Browser>>();

async function browserOf(args: string[]): Promise<Browser> {
  const key = args.join(" ");
  const found = await running.get(key);
  if (found?.isConnected()) return found;
  const executablePath = chromiumPath();
  if (!executablePath) throw new Error("no Chromium here: apt-get install chromium, or set CHROMIUM");
  const started = chromium.launch({ executablePath, args });
  running.set(key, started);
  return started;
}

/** In a file's top: one browser for all of its tests. `open` gives a page of its own. */
export function inBrowser({ microphone = "scripted", hosts = () => [], kept = false, webgl = false }: Browsing = {}): {
  open: (path: string, options?: Options) => Promise<Page>;
} {
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await browserOf([
      "--no-sandbox",
      ...(microphone === "none" ? [] : ["--use-fake-device-for-media-stream=fps=5"]),
      ...(microphone === "scripted" ? ["--use-fake-ui-for-media-stream"] : []),
      `--host-resolver-rules=${hosts().join(", ")}`,
      "--autoplay-policy=no-user-gesture-required",
      ...(webgl ? IN_SOFTWARE : ["--disable-gpu"]),
    ]);
  });
  const close = () => Promise.all(contexts.splice(0).map((context) => context.close()));
  afterEach(async () => {
    if (!kept) await close();
    expect(complaints.splice(0), "errors in the browser's console").toEqual([]);
  });
  afterAll(close);

  async function open(path: string, options: Options = {}): Promise<Page> {
    const {
      size = DESK,
      scale = webgl ? COARSE : 1,
      theme = "light",
      avatar = false,
      before,
      expected,
      bypassCSP = false,
      worker = false,
    } = options;
    const context = await browser.newContext({
      baseURL: inject("stack").api_url,
      viewport: size,
      deviceScaleFactor: scale,
      colorScheme: theme,
      serviceWorkers: worker ? "allow" : "block",
      permissions: microphone === "scripted" ? ["microphone", "camera"] : [],
      bypassCSP,
    });
    contexts.push(context);
    if (microphone === "scripted") await context.addInitScript(scriptMicrophone);
    if (avatar !== true) {
      const chosen = JSON.stringify(avatar || { shown: false });
      await context.addInitScript((kept) => {
        if (localStorage.getItem("antiphon.avatar") === null) localStorage.setItem("antiphon.avatar", kept);
      }, chosen);
    }
    await before?.(context);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() !== "error" || EXPECTED.test(message.text()) || expected?.test(message.text())) return;
      complaints.push(message.text());
    });
    await page.goto(path);
    return page;
  }

  return { open };
}

/** Told by the browser itself, and by LiveKit's client, where a gateway or a server that was killed does not answer, or a camera
 * comes back into a room and has no picture yet. */
const EXPECTED =
  /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|WebSocket is already in CLOSING|^(cannot send signal request before connected|Encountered websocket error during connection establishment|could not determine track dimensions|Failed to fetch|Received leave request while trying to \(re\)connect|DataChannel error on|publisher data channel '\w+' closed)/;
