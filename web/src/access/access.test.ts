import { afterEach, expect, test, vi } from "vitest";
import { doneInWords } from "@/access/deeds";
import { isSignedIn, type Me, may } from "@/access/me";
import { keepRenewing, keepSignIn, renewalIn, signOut } from "@/access/ticket";
import { ApiError, api, onRefused, ticket, unlessRefused, wantsKey } from "@/api/client";
import { loadable } from "@/console/session/data/read";
import openapi from "../../../api/openapi.json";

const ME: Me = {
  name: "ann",
  role: "operator",
  development: false,
  features: { websocket: true, livekit: false, phones: false, listen: false, replay: false },
};

afterEach(() => {
  signOut();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("each role may what those before it may", () => {
  expect((["caller", "operator", "admin"] as const).map((role) => may(ME, role))).toEqual([true, true, false]);
});

test("signed in is who has shown a key", () => {
  expect([ME, { ...ME, name: "anonymous" }, { ...ME, development: true }].map(isSignedIn)).toEqual([
    true,
    false,
    false,
  ]);
});

/** What callers may do is not recorded, and what only looks is not, either. */
const UNRECORDED = /token$|webhook|login|start$|ticket$|validate$/;

test("the record has words for each deed", () => {
  const deeds = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const recorded = deeds.filter((deed) => !deed.startsWith("GET ") && !UNRECORDED.test(deed));
  expect(recorded.length).toBeGreaterThan(25);
  expect(recorded.filter((deed) => doneInWords(deed) === deed)).toEqual([]);
});

test("a ticket is renewed at half its life, soon where nothing is known of it, never at once", () => {
  const kept = JSON.stringify({ until: 10_000_000, life: 3_600_000 });
  expect(renewalIn(kept, 6_400_000)).toBe(1_800_000);
  expect([renewalIn(kept, 9_990_000), renewalIn(null, 0), renewalIn("{", 0), renewalIn('{"until":"x"}', 0)]).toEqual([
    5_000, 5_000, 5_000, 5_000,
  ]);
});

/** An API that renews, or, where there is no `answer`, can't be reached. */
function renewals(answer?: object): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push(request.headers.get("Authorization") ?? "");
    if (!answer) throw new TypeError("nobody listens");
    return new Response(JSON.stringify(answer), { headers: { "Content-Type": "application/json" } });
  });
  return asked;
}

test("a page that stays open keeps a ticket that is good", async () => {
  vi.useFakeTimers();
  const asked = renewals({ ticket: "second", sound: "s2", name: "ann", role: "operator", expires_in: 3_600 });
  keepSignIn({ ticket: "first", sound: "s1", expires_in: 3_600 });
  const stop = keepRenewing();
  await vi.advanceTimersByTimeAsync(1_799_000);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([asked, ticket()]).toEqual([["Bearer first"], "second"]);
  await vi.advanceTimersByTimeAsync(1_800_000);
  expect(asked).toEqual(["Bearer first", "Bearer second"]);
  stop();
});

test("while the API is away it is tried again; who signs out has nothing renewed", async () => {
  vi.useFakeTimers();
  const asked = renewals();
  keepSignIn({ ticket: "first", sound: "s1", expires_in: 60 });
  const stop = keepRenewing();
  await vi.advanceTimersByTimeAsync(30_000 + 60_000 + 1_000);
  expect(asked.length).toBe(2);
  signOut();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(asked.length).toBe(2);
  stop();
});

/** An API that says 401 to everything. Answers how often it was asked. */
function refusals(): () => number {
  const fetch = vi.fn(async () => new Response('{"code":"key","detail":"no","errors":[]}', { status: 401 }));
  vi.stubGlobal("fetch", fetch);
  return () => fetch.mock.calls.length;
}

test("a ticket that is refused is not shown again; the next one is renewed in its time", async () => {
  vi.useFakeTimers();
  const asked = refusals();
  keepSignIn({ ticket: "first", sound: "s1", expires_in: 60 });
  const stop = keepRenewing();
  await vi.advanceTimersByTimeAsync(3_600_000);
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(asked()).toBe(1);
  keepSignIn({ ticket: "second", sound: "s2", expires_in: 60 });
  await vi.advanceTimersByTimeAsync(31_000);
  expect(asked()).toBe(2);
  stop();
});

test("a wrong key is no reason to ask for another sign-in; any other 401 is", async () => {
  refusals();
  const tell = vi.fn();
  const forget = onRefused(tell);
  await expect(api.POST("/v1/login", { body: { key: "wrong" } })).rejects.toMatchObject({
    status: 401,
    message: "No.",
  });
  expect(tell).not.toHaveBeenCalled();
  await expect(api.GET("/v1/me")).rejects.toMatchObject({ status: 401 });
  expect(tell).toHaveBeenCalledOnce();
  forget();
});

test("a 401 that comes after the sign-out, or after another sign-in, is no reason to ask for a key", async () => {
  const tell = vi.fn();
  const forget = onRefused(tell);
  const refusedAfter = async (deed: () => void) => {
    vi.stubGlobal("fetch", async () => {
      deed(); // while it is on its way
      return new Response("{}", { status: 401 });
    });
    tell.mockClear();
    keepSignIn({ ticket: "first", sound: "s1", expires_in: 60 });
    expect(await api.GET("/v1/me").catch(wantsKey)).toBe(true);
    return tell.mock.calls.length;
  };
  expect(await refusedAfter(() => {})).toBe(1);
  expect(await refusedAfter(signOut)).toBe(0);
  expect(await refusedAfter(() => keepSignIn({ ticket: "second", sound: "s2", expires_in: 60 }))).toBe(0);
  forget();
});

test("what is asked again and again is asked no more while the API wants a key", () => {
  const after = (error: Error | null) => unlessRefused(3_000)({ state: { error } });
  expect([after(null), after(new ApiError(503, "away", "")), after(new ApiError(401, "key", ""))]).toEqual([
    3_000,
    3_000,
    false,
  ]);
});

test("in addresses stands the ticket that opens nothing but sound", () => {
  keepSignIn({ ticket: "first", sound: "s1", expires_in: 3_600 });
  expect(loadable("/v1/sessions/a/audio.wav?version=2")).toMatch(/audio\.wav\?version=2&ticket=s1$/);
  signOut();
  expect(loadable("/v1/sessions/a/audio.wav")).toMatch(/audio\.wav$/);
});
