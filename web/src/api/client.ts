import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "@/api/schema";

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
}

const KEY = "antiphon.ticket";

/** The ticket this browser shows, "" where none is asked for (loopback). */
export function ticket(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

export function keepTicket(value: string): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

export function authorization(): Record<string, string> {
  const shown = ticket();
  return shown ? { Authorization: `Bearer ${shown}` } : {};
}

const middleware: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await problemOf(response);
  },
  onError() {
    return new ApiError(0, "unreachable", "The API does not answer. Is it running, and is this machine online?");
  },
};

export async function problemOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const body: ProblemBody = JSON.parse(text);
    return new ApiError(response.status, body.code, body.detail, body.errors);
  } catch {
    return new ApiError(response.status, "http", `The API answered ${response.status} without a reason.`);
  }
}

/** Every route, typed by the committed OpenAPI document. Rejects with an ApiError. */
export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(middleware);
