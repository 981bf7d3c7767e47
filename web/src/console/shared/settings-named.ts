/** Settings by their paths, in a few words: "instructions, barge in and 2 more". */
export function settingsNamed(changed: Record<string, unknown>, most: number): string {
  const names = Object.keys(changed).map((path) => path.replace(/^turn_taking\./, "").replaceAll("_", " "));
  const more = names.length > most ? ` and ${names.length - most} more` : "";
  return names.slice(0, most).join(", ") + more;
}
