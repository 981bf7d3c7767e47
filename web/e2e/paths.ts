import { fileURLToPath } from "node:url";

/** The top of the repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where screenshots go: web/e2e/shots, or E2E_SHOTS. */
export const SHOTS = process.env.E2E_SHOTS ?? fileURLToPath(new URL("./shots", import.meta.url));
