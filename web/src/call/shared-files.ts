import type { Line } from "@/call/model/transcript";

/** Gives back the memory of each file that was shared of which `before` told, and `after` tells no more. */
export function giveBack(before: readonly Line[], after: readonly Line[]): void {
  if (before === after) return;
  const kept = new Set(addresses(after));
  for (const url of addresses(before)) if (!kept.has(url)) URL.revokeObjectURL(url);
}

function addresses(lines: readonly Line[]): string[] {
  return lines.flatMap((line) => (line.kind === "file" ? [line.url] : []));
}
