import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { afterAll, beforeAll, inject, onTestFailed } from "vitest";
import { onPath } from "./browser";
import { scriptMicrophone } from "./microphone";

const PREFERENCES = {
  "media.autoplay.default": 0,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
};

/** Like inBrowser, in Firefox. Without a sound device its AudioContext never runs: it gets one that nobody hears. */
export function inFirefox(): { open: (path: string) => Promise<Page> } {
  let browser: Browser;
  let sound: ChildProcess;
  const run = mkdtempSync(join(tmpdir(), "antiphon-firefox-"));

  beforeAll(async () => {
    const executablePath = onPath(["firefox-esr", "firefox"], process.env.FIREFOX);
    const pulseaudio = onPath(["pulseaudio"]);
    if (!executablePath) throw new Error("no Firefox here: apt-get install firefox-esr, or set FIREFOX");
    if (!pulseaudio)
      throw new Error("no pulseaudio here, and Firefox needs a sound device: apt-get install pulseaudio");
    chmodSync(run, 0o700);
    const env = { ...process.env, XDG_RUNTIME_DIR: run, HOME: run };
    const modules = ["-L", "module-native-protocol-unix", "-L", "module-null-sink"];
    // as a real-time process the kernel kills it on a busy machine, and Firefox waits for it for ever
    const plain = ["--realtime=no", "--high-priority=no", "--exit-idle-time=-1"];
    sound = spawn(pulseaudio, ["-n", ...plain, ...modules], { env, stdio: "ignore" });
    await listens(join(run, "pulse", "native"));
    browser = await puppeteer.launch({
      browser: "firefox",
      executablePath,
      extraPrefsFirefox: PREFERENCES,
      env,
      defaultViewport: { width: 1440, height: 900 },
    });
  });
  afterAll(async () => {
    await browser?.close();
    sound?.kill();
    rmSync(run, { recursive: true, force: true });
  });

  /** Until the sound device is there: Firefox looks for one once. */
  async function listens(socket: string): Promise<void> {
    for (let left = 200; !existsSync(socket); left--) {
      if (left === 0 || hasEnded(sound)) throw new Error(`pulseaudio made no sound device: ${socket}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function open(path: string): Promise<Page> {
    if (hasEnded(sound)) throw new Error(`pulseaudio ended: ${sound.signalCode ?? sound.exitCode}`);
    const page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    onTestFailed(async () => console.error(`as it failed, ${await condition(page)}`));
    await page.evaluateOnNewDocument(scriptMicrophone);
    await page.evaluateOnNewDocument(() => {
      const Real = RTCPeerConnection;
      const peers: RTCPeerConnection[] = [];
      window.RTCPeerConnection = class extends Real {
        constructor(...rest: ConstructorParameters<typeof Real>) {
          super(...rest);
          peers.push(this);
        }
      };
      Object.assign(window, { peers });
    });
    await page.evaluateOnNewDocument(() => {
      if (location.protocol === "http:") localStorage.setItem("antiphon.avatar", '{"shown":false}'); // as in inBrowser
    });
    await page.goto(new URL(path, inject("stack").api_url).href);
    return page;
  }

  return { open };
}

/** What of the page still goes: without frames clicks wait for ever, without sound a caller's words do. */
async function condition(page: Page): Promise<string> {
  const looked = page.evaluate(async () => {
    const within = (what: Promise<unknown>) =>
      Promise.race([what.then(() => "yes"), new Promise<string>((resolve) => setTimeout(resolve, 4000, "no"))]);
    const sound = new AudioContext();
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    const reports = await Promise.all(peers.map((peer) => peer.getStats()));
    const stats = reports.flatMap((report) => [...report.values()]);
    const found = {
      visible: document.visibilityState,
      draws: await within(new Promise(requestAnimationFrame)),
      sounds: await within(sound.resume()),
      sends: stats.filter(({ type }) => /outbound-rtp|media-source/.test(type)),
      agent: document.querySelector("[data-agent-state]")?.getAttribute("data-agent-state"),
      text: document.body.textContent,
    };
    void sound.close();
    return JSON.stringify(found);
  });
  const silent = new Promise<string>((resolve) => setTimeout(resolve, 15_000, "its page does not answer"));
  return Promise.race([looked.catch(String), silent]);
}

function hasEnded(process: ChildProcess): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}
