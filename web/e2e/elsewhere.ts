import { readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { ROOT } from "./paths";

const DIST = join(ROOT, "web/dist");
const TYPES: Record<string, string> = { ".css": "text/css", ".js": "text/javascript", ".html": "text/html" };

/** The built app on another server than the API's, as docs/front-ends.md has it: its page names the API. */
export async function serveElsewhere(api: string): Promise<{ port: number; server: Server }> {
  const named = `<head><meta name="antiphon-api" content="${api}">`;
  const server = createServer((request, response) => {
    const path = join(DIST, normalize(new URL(request.url ?? "/", "http://here").pathname));
    const file = statSync(path, { throwIfNoEntry: false })?.isFile() ? path : join(DIST, "index.html");
    const page = file.endsWith(".html");
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    response.end(page ? readFileSync(file, "utf8").replace("<head>", named) : readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, server };
}
