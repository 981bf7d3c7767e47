import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const API = process.env.ANTIPHON_API ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { assetsInlineLimit: 0, manifest: true, sourcemap: false, target: "es2023", chunkSizeWarningLimit: 900 },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
  optimizeDeps: { exclude: ["@met4citizen/talkinghead"] }, // it finds its own files by its address
  server: { proxy: Object.fromEntries(["/v1", "/health", "/ready", "/token"].map((path) => [path, API])) },
});
