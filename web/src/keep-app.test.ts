import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test, vi } from "vitest";

const SOURCE = readFileSync("public/sw.js", "utf8");
const ORIGIN = "http://localhost:8080";

interface Asked {
  path: string;
  mode?: string;
  method?: string;
  headers?: Record<string, string>;
}

/** The worker's world: its file, run with caches in memory and a network that can be cut. */
class World {
  readonly kept = new Map<string, Response>();
  online = true;
  full = false;
  asked: string[] = [];
  private readonly handlers = new Map<string, (event: unknown) => void>();

  constructor() {
    const cache = {
      match: async (request: Request | string) => this.kept.get(keyOf(request))?.clone(),
      put: async (request: Request | string, response: Response) => {
        if (this.full) throw new DOMException("no room", "QuotaExceededError");
        this.kept.set(keyOf(request), response);
      },
      keys: async () => [...this.kept.keys()].map((url) => ({ url })),
      delete: async (request: { url: string }) => this.kept.delete(request.url),
    };
    const self = {
      location: new URL(ORIGIN),
      addEventListener: (name: string, handler: (event: unknown) => void) => this.handlers.set(name, handler),
    };
    const network = async (request: { url: string }) => {
      this.asked.push(request.url);
      if (!this.online) throw new TypeError("offline");
      const type = request.url.includes("/assets/") ? "text/javascript" : "text/html";
      return new Response(`of ${request.url}`, { headers: { "content-type": type } });
    };
    new Function("self", "caches", "fetch", SOURCE)(self, { open: async () => cache }, network);
  }

  /** What the worker answers; undefined where it leaves the request to the browser. */
  async get({ path, mode = "cors", method = "GET", headers = {} }: Asked): Promise<string | undefined> {
    let answer: Promise<Response> | undefined;
    const url = new URL(path, ORIGIN).href;
    const request = { url, mode, method, headers: new Headers(headers) };
    this.handlers.get("fetch")?.({ request, respondWith: (given: Promise<Response>) => (answer = given) });
    return answer === undefined ? undefined : (await answer).text();
  }
}

function keyOf(request: { url: string } | string): string {
  return typeof request === "string" ? new URL(request, ORIGIN).href : request.url;
}

let world: World;
beforeEach(() => {
  vi.unstubAllGlobals();
  world = new World();
});

describe("the service worker", () => {
  test.each<Asked>([
    { path: "/v1/sessions" },
    { path: "/v1/sessions/a/audio.wav", headers: { range: "bytes=0-" } },
    { path: "/v1/sessions/a/events/stream" },
    { path: "/v1/ws/ticket", method: "POST" },
    { path: "/token", method: "POST" },
    { path: "/health" },
    { path: "/metrics", mode: "navigate" },
    { path: "/v1/sessions/a/transcript.txt", mode: "navigate" },
    { path: "https://elsewhere.example/assets/a.js" },
    { path: "/assets/head.glb", headers: { range: "bytes=0-100" } },
  ])("leaves $path alone, and keeps nothing of it", async (asked) => {
    expect(await world.get(asked)).toBeUndefined();
    expect(world.kept.size).toBe(0);
  });

  test("shows the newest page while there is a network, and the last one without", async () => {
    expect(await world.get({ path: "/", mode: "navigate" })).toContain("of http");
    expect(await world.get({ path: "/sessions/a", mode: "navigate" })).toContain("/sessions/a");
    world.online = false;
    expect(await world.get({ path: "/latency", mode: "navigate" })).toContain("/sessions/a");
  });

  test("gives what it has no room for", async () => {
    world.full = true;
    expect(await world.get({ path: "/", mode: "navigate" })).toContain("of http");
    expect(await world.get({ path: "/assets/page-abc.js" })).toContain("page-abc.js");
  });

  test("asks for a file with a name of its own but once", async () => {
    for (let time = 0; time < 3; time++) await world.get({ path: "/assets/page-abc.js" });
    expect(world.asked).toHaveLength(1);
  });

  test("does not keep more files than an app has", async () => {
    for (let file = 0; file < 200; file++) await world.get({ path: `/assets/${file}.js` });
    expect(world.kept.size).toBeLessThanOrEqual(120);
    expect(await world.get({ path: "/assets/199.js" })).toContain("199");
  });
});
