import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterAll, beforeAll, inject } from "vitest";
import { onPath } from "./browser";

type Json = Record<string, unknown>;

/** A page in WebKitGTK's own browser, driven as WebDriver has it. */
export interface WebKitPage {
  goto(path: string): Promise<void>;
  /** Answers what `script` returns. */
  run<T>(script: string, ...given: unknown[]): Promise<T>;
  /** Until the page's text has it; rejects with the text that there is instead. */
  reads(text: RegExp): Promise<void>;
  screenshot(path: string): Promise<void>;
  /** "605.1.15" and the like. */
  version: string;
}

/** Like inBrowser, in WebKitGTK, on a screen that nobody sees. */
export function inWebKit(): () => WebKitPage {
  const ended: ChildProcess[] = [];
  let page: WebKitPage;
  let leave = async () => {};

  beforeAll(async () => {
    const driver = onPath(["WebKitWebDriver"]);
    const screen = onPath(["Xvfb"]);
    if (!driver || !screen) throw new Error("no WebKitGTK here: apt-get install webkit2gtk-driver xvfb");
    const display = await show(screen);
    const port = await freePort();
    const env = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" };
    ended.push(spawn(driver, [`--port=${port}`], { env, stdio: "ignore" }));
    const server = `http://127.0.0.1:${port}`;
    await until(() => fetch(`${server}/status`).then(({ ok }) => ok));
    const capabilities = { alwaysMatch: { browserName: "MiniBrowser" } };
    const begun = await ask<{ sessionId: string; capabilities: Json }>(`${server}/session`, { capabilities });
    const session = `${server}/session/${begun.sessionId}`;
    await ask(`${session}/window/rect`, { width: 1440, height: 900 });
    leave = async () => void (await fetch(session, { method: "DELETE" }).catch(() => {}));
    page = pageOf(session, String(begun.capabilities.browserVersion));
  });
  afterAll(async () => {
    await leave();
    for (const process of ended.reverse()) process.kill();
  });

  /** Answers the display's name. */
  function show(screen: string): Promise<string> {
    const shown = spawn(screen, ["-displayfd", "3", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    ended.push(shown);
    return new Promise((resolve, reject) => {
      shown.stdio[3]?.once("data", (number: Buffer) => resolve(`:${number.toString().trim()}`));
      shown.once("exit", (code) => reject(new Error(`Xvfb ended with ${code}`)));
    });
  }

  return () => page;
}

function pageOf(session: string, version: string): WebKitPage {
  const run = <T>(script: string, ...given: unknown[]) => ask<T>(`${session}/execute/sync`, { script, args: given });
  return {
    version,
    run,
    goto: async (path) => void (await ask(`${session}/url`, { url: new URL(path, inject("stack").api_url).href })),
    reads: async (text) => {
      let read = "";
      await until(async () => {
        read = await run<string>("return document.body.innerText");
        return text.test(read);
      }).catch(() => {
        throw new Error(`the page has no ${text}: ${read.slice(0, 2000)}`);
      });
    },
    screenshot: async (path) => {
      const response = await fetch(`${session}/screenshot`);
      writeFileSync(path, Buffer.from(((await response.json()) as { value: string }).value, "base64"));
    },
  };
}

async function ask<T>(url: string, body: Json): Promise<T> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
  if (!response.ok) throw new Error(`WebKitWebDriver: ${value.error}, ${value.message}`);
  return value;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error("it did not come in 20 s");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
