// After a build (into dist, or the folder named): what a first visit loads before a call, gzipped. Over the budget the build fails.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const DIST = process.argv[2] ? pathToFileURL(`${process.argv[2]}/`) : new URL("../dist/", import.meta.url);
const BUDGET_KB = 150;
/** The view that a first visit comes to, beside what every view needs. */
const START = "src/call/page.tsx";

const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", DIST), "utf8"));
const files = new Set(["index.html"]);
const visit = (key) => {
  const entry = manifest[key];
  if (files.has(entry.file)) return;
  files.add(entry.file);
  for (const css of entry.css ?? []) files.add(css);
  for (const imported of entry.imports ?? []) visit(imported);
};
for (const key of Object.keys(manifest)) if (manifest[key].isEntry || key === START) visit(key);
if (!(START in manifest)) throw new Error(`${START} is no view of its own any more: name the start's here`);

const size = (name) => gzipSync(readFileSync(new URL(name, DIST))).length / 1000;
const total = [...files].reduce((sum, name) => sum + size(name), 0);
for (const name of files) console.error(`${size(name).toFixed(1).padStart(8)} kB  ${name}`);
console.error(`${total.toFixed(1).padStart(8)} kB  first load, gzipped (${BUDGET_KB} allowed)`);
if (total > BUDGET_KB) process.exit(1);
