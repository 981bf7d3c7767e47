/** Where a key leads in a list: the line's number, null for a key that leads nowhere. `page`: lines in view. */
export function step(key: string, at: number, length: number, page: number): number | null {
  if (length === 0) return null;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: length - 1 }[
    key
  ];
  return to === undefined ? null : Math.min(Math.max(to, 0), length - 1);
}
