import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import environment from "./environment.json";
import { ROOT } from "./paths";

/** What `antiphon up --json` tells of itself. */
export interface Stack {
  api_url: string;
  gateways: string[];
  livekit_url?: string;
  processes: { name: string; pid: number }[];
  /** ANTIPHON_DATA, for commands that look into its log. */
  data: string;
}

declare module "vitest" {
  interface ProvidedContext {
    stack: Stack;
  }
}

/** Tests change what the clerk's file says. */
const AGENTS = join(ROOT, "web/e2e/agents");

/** The real stack with the real models, once for all files; with ANTIPHON_E2E (its JSON) one that runs already. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.ANTIPHON_E2E;
  if (given) {
    project.provide("stack", JSON.parse(given) as Stack);
    return async () => {};
  }
  if (!existsSync(join(ROOT, "web/dist/index.html"))) throw new Error("the app is not built: make app");
  const data = mkdtempSync(join(tmpdir(), "antiphon-e2e-"));
  const agents = join(data, "agents");
  cpSync(AGENTS, agents, { recursive: true });
  const livekit = process.env.E2E_LIVEKIT ? ["--livekit"] : []; // tests of rooms ask for it
  const process_ = spawn(antiphon(), ["up", "--free-ports", "--gateways", "2", ...livekit, "--json"], {
    cwd: data, // nobody's .env
    env: { ...process.env, ...environment, ANTIPHON_DATA: data, AGENTS: agents },
    stdio: ["ignore", "pipe", "inherit"],
  });
  project.provide("stack", { ...(await told(process_)), data });
  return async () => {
    await ended(process_);
    rmSync(data, { recursive: true, force: true });
  };
}

/** The command of this checkout. */
export function antiphon(): string {
  return process.env.ANTIPHON ?? join(ROOT, ".venv/bin/antiphon");
}

function told(up: ChildProcess): Promise<Stack> {
  return new Promise((resolve, reject) => {
    let text = "";
    up.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(JSON.parse(text.slice(0, text.indexOf("\n"))) as Stack);
    });
    up.on("error", reject);
    up.on("exit", (code) => reject(new Error(`antiphon up ended with ${code} before it was ready`)));
  });
}

function ended(up: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    up.removeAllListeners("exit");
    up.on("exit", () => resolve());
    if (!up.kill("SIGTERM")) resolve();
  });
}
