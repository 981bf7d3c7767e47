import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { inject } from "vitest";
import { ROOT } from "./paths";
import { antiphon } from "./stack";

/** Press the one button; resolves when the agent listens. */
export async function begin(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^(Talk|Join)$/ }).click();
  await state(page, "listening");
}

/** Where a call in a LiveKit room begins. */
export function roomPath(room: string, name: string): string {
  return `/?${new URLSearchParams({ mode: "livekit", room, name })}`;
}

/** Whether the stack has a LiveKit server; where CI runs there must be one. */
export function hasLiveKit(): boolean {
  const has = inject("stack").livekit_url !== undefined;
  if (!has && process.env.CI) throw new Error("the stack has no LiveKit server: make livekit");
  return has;
}

interface Told {
  type: string;
  turn: number | null;
  why?: string;
  how?: string;
  heard?: string;
}

interface Events {
  events: (Told & { body: Told })[];
  next: number | null;
}

/** What the API answers to that: it is as was wished. */
export async function post<T>(path: string, body: object): Promise<T> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(inject("stack").api_url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** What the API tells of that. */
export async function read<T>(path: string): Promise<T> {
  const answer = await fetch(inject("stack").api_url + path);
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** A session's events. By the API: a command takes the processor for seconds, and a call beside it needs that. */
export async function eventsOf(session: string): Promise<Told[]> {
  const all: Told[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page: Events = await read(`/v1/sessions/${session}/events?limit=500&after=${after}`);
    all.push(...page.events.map(({ type, turn, body }) => ({ ...body, type, turn })));
    after = page.next;
  }
  return all;
}

/** How each answer ended. A busy machine says "One moment, please" before some: that is a turn, and no answer. */
export async function answersOf(session: string): Promise<(string | undefined)[]> {
  const events = await eventsOf(session);
  const own = new Set(events.filter(({ why }) => why === "filler").map(({ turn }) => turn));
  return events.filter(({ type, turn }) => type === "turn.ended" && !own.has(turn)).map(({ how }) => how);
}

/** Begin a call that is typed; its session. */
export async function type(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Type instead" }).click();
  await state(page, "listening");
  return sessionOf(page);
}

/** Type to the agent. */
export async function ask(page: Page, text: string): Promise<void> {
  const field = page.getByRole("textbox", { name: "Type to the agent" });
  await field.fill(text);
  await field.press("Enter");
}

/** Until the agent does that. */
export async function state(page: Page, wanted: "listening" | "thinking" | "speaking"): Promise<void> {
  await page.locator(`[data-agent-state=${wanted}]`).waitFor();
}

/** The session's id, from the link to the whole call. */
export async function sessionOf(page: Page): Promise<string> {
  const link = await page
    .getByRole("link", { name: /whole call/ })
    .first()
    .getAttribute("href");
  return decodeURIComponent((link ?? "").replace(/^.*\/sessions\//, "").replace(/\?.*$/, ""));
}

/** One of `antiphon`'s commands beside the stack; its last line, as JSON. */
export async function command<T>(...words: string[]): Promise<T> {
  return JSON.parse((await linesOf(words)).at(-1) ?? "null") as T;
}

/** The same, of one that tells many things, a line each. */
export async function commandLines<T>(...words: string[]): Promise<T[]> {
  return (await linesOf(words)).map((line) => JSON.parse(line) as T);
}

async function linesOf(words: string[]): Promise<string[]> {
  const { data } = inject("stack");
  const options = { cwd: data, env: { ...process.env, ANTIPHON_DATA: data }, maxBuffer: 1 << 26 };
  const { stdout } = await promisify(execFile)(antiphon(), [...words, "--json"], options);
  return stdout.trim().split("\n");
}

let finished: Promise<string> | undefined;

/** A finished call with one question and its answer; its id. The same for all files: it is only looked at. */
export function finishedCall(): Promise<string> {
  finished ??= newCall();
  return finished;
}

/** Another one, for who changes it. */
export async function newCall(): Promise<string> {
  const flac = join(ROOT, "ops/demo/capital.flac");
  return (await command<{ session: string }>("call", flac)).session;
}
