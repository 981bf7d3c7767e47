// The service worker: keeps the app's own files, so that it opens at once and says something sensible offline. It keeps nothing
// else: no answer of the API, no sound, nothing of a call, nothing of other origins.
const CACHE = "antiphon-app-1";
const SHELL = "/index.html";
const MOST = 120;

/** What may be kept: "shell" (the page, asked for anew each time), "asset" (never changes under its name), or null. */
function kindOf(request) {
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || request.headers.has("range")) return null;
  if (url.pathname.startsWith("/assets/")) return "asset";
  if (request.mode === "navigate" && !/^\/(v1|api|token|health|ready|metrics)(\/|$)/.test(url.pathname)) {
    return "shell";
  }
  return null;
}

async function shell(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    const page = answer.headers.get("content-type")?.startsWith("text/html");
    if (answer.ok && page) await keep(cache, SHELL, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(SHELL);
    if (kept === undefined) throw error;
    return kept;
  }
}

async function asset(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept !== undefined) return kept;
  const answer = await fetch(request);
  if (answer.status === 200) await keep(cache, request, answer.clone());
  return answer;
}

/** What can't be kept, for want of room perhaps, is a good answer all the same. */
async function keep(cache, request, answer) {
  try {
    await cache.put(request, answer);
    const keys = (await cache.keys()).filter((key) => new URL(key.url).pathname !== SHELL);
    await Promise.all(keys.slice(0, Math.max(0, keys.length - MOST)).map((key) => cache.delete(key)));
  } catch {
    // it is asked for again
  }
}

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const others = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(others());
});

self.addEventListener("fetch", (event) => {
  const kind = kindOf(event.request);
  if (kind === "shell") event.respondWith(shell(event.request));
  if (kind === "asset") event.respondWith(asset(event.request));
});
