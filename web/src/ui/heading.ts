import { useEffect, useRef } from "react";

/** Where one view takes another's place, what had the focus may go with it: then the new view's heading has it, so that keyboard
 * and screen reader go on there, not at the page's beginning. */
export function useHeadingOf(view: string): void {
  const before = useRef(view);
  useEffect(() => {
    if (before.current === view) return;
    before.current = view;
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    const heading = document.querySelector<HTMLElement>("main h1");
    if (heading === null) return;
    heading.tabIndex = -1;
    heading.classList.add("outline-none");
    heading.focus({ preventScroll: true });
  }, [view]);
}
