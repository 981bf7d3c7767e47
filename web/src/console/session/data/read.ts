import { ApiError, authorization, BASE, problemOf, ticket } from "@/api/client";

/** The address of something of a session's. */
export function addressOf(session: string, what = ""): string {
  return `/v1/sessions/${encodeURIComponent(session)}${what}`;
}

/** What the API answers to a GET of `path`. Rejects with an ApiError. */
export async function read<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return ask(path, signal ? { signal } : {});
}

/** What the typed client was answered: it rejects where there is no answer. */
export async function answered<Answer>(asked: Promise<{ data?: Answer }>): Promise<Answer> {
  return (await asked).data as Answer;
}

async function ask<Answer>(path: string, wishes: RequestInit): Promise<Answer> {
  const headers = { ...(wishes.headers as Record<string, string> | undefined), ...authorization() };
  const response = await fetch(BASE + path, { ...wishes, headers }).catch((reason: unknown) => {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw new ApiError(0, "unreachable", "The API does not answer. Is it running, and is this machine online?");
  });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/** An address that a browser's own loader can open: it sends no Authorization. */
export function loadable(path: string): string {
  const shown = ticket();
  if (!shown) return BASE + path;
  return `${BASE}${path}${path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(shown)}`;
}
