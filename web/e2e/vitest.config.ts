import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `npm run e2e`: a real Chromium against the real stack. One file after the other: they share it, and its models. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: { alias: { "@": fileURLToPath(new URL("../src", import.meta.url)) } },
  test: {
    include: process.env.README_SHOTS ? ["e2e/readme.shots.ts"] : ["e2e/**/*.e2e.ts"],
    globalSetup: ["e2e/stack.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } }, // as long as pages wait for what is to be there (browser.ts)
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
