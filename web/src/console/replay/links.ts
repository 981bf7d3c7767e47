/** The page of one call. */
export function callAt(session: string): string {
  return `/sessions/${encodeURIComponent(session)}`;
}

/** Two calls side by side. */
export function comparison(first: string, second: string): string {
  return `/compare?${new URLSearchParams({ a: first, b: second })}`;
}
