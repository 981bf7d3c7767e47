import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "@/api/schema";
import { sentence } from "@/format";

/** What the API says when it says no (problem+json). */
export type ProblemBody = components["schemas"]["ProblemBody"];

/** An answer that was no success. `code`: for programs; the message is for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: { where: string; problem: string }[] = [],
  ) {
    super(message);
  }

  /** Asking again changes nothing; signing in may. */
  get forGood(): boolean {
    return this.status >= 400 && this.status < 500 && ![408, 425, 429].includes(this.status);
  }
}

/** It asks who we are. */
export function wantsKey(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** How a query is asked again each `ms`: not while the API asks who we are, for each refusal counts against our address. After the
 * sign-in everything is asked anew. */
export function unlessRefused(ms: number) {
  return ({ state }: { state: { error: Error | null } }): number | false => !wantsKey(state.error) && ms;
}

/** How a query that failed is asked again each `ms`, until it is answered, or refused. */
export function untilAnswered(ms: number) {
  return ({ state: { error } }: { state: { error: Error | null } }): number | false =>
    error !== null && !(error instanceof ApiError && error.forGood) && ms;
}

/** Where the API is: this page's own origin, unless the page names another: <meta name="antiphon-api" content="https://…">. */
export const BASE =
  document.querySelector<HTMLMetaElement>('meta[name="antiphon-api"]')?.content.replace(/\/+$/, "") ||
  window.location.origin;

const KEY = "antiphon.ticket";
const SOUND = "antiphon.ticket.sound";
const listeners = { ticket: new Set<() => void>(), refused: new Set<() => void>() };

/** The ticket this browser shows, "" where none is asked for (loopback). All its tabs share it: a link opens in a new one. */
export function ticket(): string {
  return localStorage.getItem(KEY) ?? "";
}

/** The one for addresses, which logs and histories keep: it opens the sound of sessions, and nothing else. */
export function soundTicket(): string {
  return localStorage.getItem(SOUND) ?? "";
}

export function keepTicket(value: string, sound = ""): void {
  keep(SOUND, sound);
  keep(KEY, value);
  for (const tell of listeners.ticket) tell();
}

function keep(key: string, value: string): void {
  if (value) localStorage.setItem(key, value);
  else localStorage.removeItem(key);
}

/** `tell` when another ticket is shown from now on, or none; also by another tab. Answers how to stop that. */
export function onTicket(tell: () => void): () => void {
  const elsewhere = (event: StorageEvent) => {
    if (event.key === KEY) tell();
  };
  listeners.ticket.add(tell);
  window.addEventListener("storage", elsewhere);
  return () => {
    listeners.ticket.delete(tell);
    window.removeEventListener("storage", elsewhere);
  };
}

/** `tell` when somebody signed in, here or in another tab. Answers how to stop that. */
export function onSignIn(tell: () => void): () => void {
  return onTicket(() => {
    if (ticket()) tell();
  });
}

/** `tell` when the API asks who we are (401). Answers how to stop that. */
export function onRefused(tell: () => void): () => void {
  listeners.refused.add(tell);
  return () => listeners.refused.delete(tell);
}

export function authorization(): Record<string, string> {
  const shown = ticket();
  return shown ? { Authorization: `Bearer ${shown}` } : {};
}

/** A key that it refuses is said to be wrong where it was typed. */
const SIGN_IN = "/v1/login";

const middleware: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  async onResponse({ request, response, schemaPath }) {
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) ahead = date + 500 - Date.now();
    if (response.ok) return;
    const shown = request.headers.get("Authorization");
    throw await (schemaPath === SIGN_IN ? readProblem(response) : problemOf(response, shown));
  },
  onError() {
    return new ApiError(0, "unreachable", silence(BASE, window.location.origin));
  },
};

/** Why the API at `base` may have said nothing to a page of `origin`: a browser keeps to itself that an answer was not for it. */
export function silence(base: string, origin: string): string {
  if (base === origin) return "The API does not answer. Is it running, and is this machine online?";
  return `The API at ${base} does not answer this page. Is it running, and does its API_ALLOWED_ORIGINS name ${origin}?`;
}

let ahead = 0;

/** Now (ms since 1970) by the API's clock, to a second: what it dates is counted from there, not from a clock set wrongly here. */
export function apiNow(): number {
  return Date.now() + (Math.abs(ahead) > 2_000 ? ahead : 0);
}

/** Why it said no. Everything that asks the API but the sign-in comes through here: a 401 is heard of by that, unless another ticket is there
 * by now, or none. `shown`: the Authorization that it was asked with. */
export async function problemOf(response: Response, shown: string | null): Promise<ApiError> {
  const still = (authorization().Authorization ?? null) === shown;
  if (response.status === 401 && still) for (const tell of listeners.refused) tell();
  return readProblem(response);
}

async function readProblem(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const body: ProblemBody = JSON.parse(text);
    return new ApiError(response.status, body.code, sentence(body.detail), body.errors);
  } catch {
    return new ApiError(response.status, "http", `The API answered ${response.status} without a reason.`);
  }
}

/** Every route, typed by the committed OpenAPI document. Rejects with an ApiError. */
export const api = createClient<paths>({ baseUrl: BASE, fetch: (request) => fetch(request) });
api.use(middleware);

/** What it was answered: whatever is no success, it rejects. */
export async function answered<Answer>(asked: Promise<{ data?: Answer }>): Promise<Answer> {
  return (await asked).data as Answer;
}
