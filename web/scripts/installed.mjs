// Ends with 0 where node_modules holds just what package-lock.json says: npm keeps a list of what it has put there.
import { readFileSync } from "node:fs";

const packages = (path) => {
  try {
    return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")).packages;
  } catch {
    return {};
  }
};
const wanted = packages("../package-lock.json");
const there = packages("../node_modules/.package-lock.json");
const same = Object.entries(wanted).every(
  ([name, { integrity, optional }]) =>
    name === "" || there[name]?.integrity === integrity || (optional && !(name in there)),
);
process.exit(same && Object.keys(there).every((name) => name in wanted) ? 0 : 1);
