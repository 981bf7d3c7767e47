/** What a data packet holds, where that is a JSON object; else nothing. */
export function fieldsOf(data: Uint8Array): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
