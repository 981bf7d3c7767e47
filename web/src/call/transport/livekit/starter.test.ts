import { TokenSource } from "livekit-client";
import { afterEach, expect, test, vi } from "vitest";
import told from "../../../../../tests/api/livekit/starter.json";

afterEach(() => vi.unstubAllGlobals());

test.each(told.requests)(
  "LiveKit's client asks our endpoint for $options as its tests do, and reads the answer.",
  async (one) => {
    const asked = vi.fn(async (_address: string, _sent: RequestInit) => Response.json(told.answer, { status: 201 }));
    vi.stubGlobal("fetch", asked);
    const found = await TokenSource.endpoint("/api/token").fetch(one.options);
    expect(found).toMatchObject({ serverUrl: told.answer.server_url, participantToken: told.answer.participant_token });
    const [address, sent] = asked.mock.calls[0] ?? [];
    expect([address, sent?.method, JSON.parse(String(sent?.body))]).toEqual(["/api/token", "POST", one.request]);
  },
);
