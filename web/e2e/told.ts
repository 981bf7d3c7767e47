import type { Reporter, TestModule } from "vitest/node";

/** Tells of each file, as it is through, in a line of JSON: tests/e2e/test_pages.py waits for them one by one. */
export default class Told implements Reporter {
  onTestModuleEnd(module: TestModule): void {
    const failed = [...module.children.allTests("failed")].flatMap((test) =>
      (test.result().errors ?? []).map((error) => ({ ...error, name: test.fullName })),
    );
    const around = [module, ...module.children.allSuites()].flatMap((suite) => suite.errors());
    const why = [...failed, ...around].map(({ name, message, diff, stacks }) => {
      const places = (stacks ?? []).map(({ file, line }) => `  at ${file}:${line}`);
      return [`${name}: ${message}`, diff, ...places].filter(Boolean).join("\n");
    });
    process.stdout.write(
      `${JSON.stringify({ told: module.relativeModuleId, ok: module.ok(), why: why.join("\n\n") })}\n`,
    );
  }
}
