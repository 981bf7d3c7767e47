import type { components } from "@/api/schema";

export type AgentText = components["schemas"]["AgentText"];
export type TextProblem = components["schemas"]["TextProblem"];

/** An agent file as it is being written. `base`: what was read, null: there is no such file yet; `conflict`: what stands there now,
 * where it was changed meanwhile (`gone`: it was deleted); `sent`: what was sent to be saved last. */
export interface Editing {
  base: { toml: string; etag: string } | null;
  text: string;
  conflict: { toml: string; etag: string } | "gone" | null;
  sent?: string;
}

export type Action =
  | { type: "read"; file: { toml: string; etag: string } }
  | { type: "gone" }
  | { type: "typed"; text: string }
  | { type: "sent" }
  | { type: "saved"; file: { toml: string; etag: string } }
  | { type: "refused"; file: { toml: string; etag: string } | null }
  | { type: "theirs" }
  | { type: "mine" }
  | { type: "reverted" };

export function begin(file: { toml: string; etag: string } | null, text = file?.toml ?? ""): Editing {
  return { base: file && { toml: file.toml, etag: file.etag }, text, conflict: null };
}

export function isChanged({ base, text }: Editing): boolean {
  return base === null || text !== base.toml;
}

/** What is written is never lost but where somebody says so: a file that changed is taken only while nothing was written. */
export function edit(now: Editing, action: Action): Editing {
  switch (action.type) {
    case "read":
      if (now.base?.etag === action.file.etag) return now.conflict === null ? now : { ...now, conflict: null };
      if (!isChanged(now) || now.text === action.file.toml) return begin(action.file);
      if (now.sent === action.file.toml) return edit(now, { type: "saved", file: action.file }); // heard of before the answer
      return edit(now, { type: "refused", file: action.file });
    case "gone":
      return now.base === null || !isChanged(now) ? now : edit(now, { type: "refused", file: null });
    case "typed":
      return { ...now, text: action.text };
    case "sent":
      return { ...now, sent: now.text };
    case "saved": // what was typed since stays a change
      return { ...now, base: { toml: action.file.toml, etag: action.file.etag }, conflict: null };
    case "refused":
      return { ...now, conflict: (action.file && { toml: action.file.toml, etag: action.file.etag }) ?? "gone" };
    case "theirs":
      return now.conflict === "gone" || now.conflict === null ? now : begin(now.conflict);
    case "mine": // the next save is one of what stands there now
      if (now.conflict === null) return now;
      return { ...now, base: now.conflict === "gone" ? null : now.conflict, conflict: null };
    case "reverted":
      return now.conflict === null || now.conflict === "gone" ? begin(now.base) : begin(now.conflict);
  }
}

const KEY = "antiphon.agent.";

/** What was written and not saved stays in this tab, also while one tries it in a call. */
export function keep(name: string, now: Editing): void {
  if (isChanged(now)) sessionStorage.setItem(KEY + name, JSON.stringify({ base: now.base, text: now.text }));
  else sessionStorage.removeItem(KEY + name);
}

export function kept(name: string): Editing | null {
  try {
    const { base, text } = JSON.parse(sessionStorage.getItem(KEY + name) ?? "");
    if (typeof text !== "string") return null;
    return begin(base === null ? null : { toml: String(base.toml), etag: String(base.etag) }, text);
  } catch {
    return null;
  }
}

export function drop(name: string): void {
  sessionStorage.removeItem(KEY + name);
}

/** Names as the API takes them for a new file. */
export function problemOfName(name: string, taken: readonly string[]): string {
  if (!name) return "";
  if (taken.includes(name)) return `There is an agent ${name} already.`;
  if (name.startsWith("draft-")) return "Names that begin with draft- are for drafts.";
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return "";
  return "Up to 64 letters, digits, - and _, a letter or digit first.";
}

/** By line, one text each; 0: those that belong to no line. */
export function byLine(problems: readonly TextProblem[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { line, message } of problems) {
    const at = line ?? 0;
    const before = found.get(at);
    found.set(at, before ? `${before}; ${message}` : message);
  }
  return found;
}

/** Where in the text a line (from 1) begins. */
export function beginOf(text: string, line: number): number {
  let at = 0;
  for (let passed = 1; passed < line; passed++) {
    const end = text.indexOf("\n", at);
    if (end === -1) return text.length;
    at = end + 1;
  }
  return at;
}

/** A spec as lines: `turn_taking.commit_min` and its value, in the file's order. */
export function flatten(value: unknown, path = ""): [string, string][] {
  if (value === null || typeof value !== "object" || Array.isArray(value) || Object.keys(value).length === 0)
    return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, inner]) => flatten(inner, path ? `${path}.${name}` : name));
}
