import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Without a GPU it takes both cores, which others may want for a while yet (tests/lanes.py). */
const LAST = "avatar.e2e.ts";

/** As tests/e2e/browsers.py waits for them. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => `${moduleId.endsWith(LAST) ? 1 : 0} ${moduleId}`;
    return files.toSorted((one, other) => (place(one) < place(other) ? -1 : 1));
  }
}

/** `npm run e2e`: a real Chromium against the real stack. One file after the other, in one process: they share the stack, its
 * models, and the browser. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: { alias: { "@": fileURLToPath(new URL("../src", import.meta.url)) } },
  test: {
    include: process.env.README_SHOTS ? ["e2e/readme.shots.ts"] : ["e2e/**/*.e2e.ts"],
    globalSetup: ["e2e/stack.ts"],
    fileParallelism: false,
    isolate: false,
    sequence: { sequencer: ByName },
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } }, // as long as pages wait for what is to be there (browser.ts)
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    chaiConfig: { truncateThreshold: 0 }, // the line that CI shows first says all of what was found
  },
});
