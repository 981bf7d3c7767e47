/** Puts `text` on the clipboard. False where it can't: on plain http browsers give pages none. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
