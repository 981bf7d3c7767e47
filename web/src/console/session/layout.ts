import { type RefObject, useEffect, useState } from "react";
import { useMedia } from "@/console/shared/media";

/** Whether the window is wide enough for two columns. */
export function useWide(): boolean {
  return useMedia("(min-width: 1180px)");
}

/** How tall something is, in CSS pixels. */
export function useHeight(element: RefObject<HTMLElement | null>): number {
  const [height, setHeight] = useState(0);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setHeight(entry?.borderBoxSize[0]?.blockSize ?? 0));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return height;
}

/** Makes something reach from where it stands, `covered` pixels from the top at least, to the lower end of the window, however
 * far the page is scrolled. Until then it needs a height of its own: in an endless one a list of events would be there whole. */
export function useToTheEnd(element: RefObject<HTMLElement | null>, there: boolean, covered: number): void {
  useEffect(() => {
    const one = element.current;
    if (!there || one === null) return;
    const reach = () => {
      one.style.height = `${Math.max(240, window.innerHeight - Math.max(covered, one.getBoundingClientRect().top))}px`;
    };
    reach();
    const observer = new ResizeObserver(reach);
    observer.observe(document.body);
    window.addEventListener("scroll", reach, { passive: true });
    window.addEventListener("resize", reach);
    return () => {
      observer.disconnect();
      window.removeEventListener("scroll", reach);
      window.removeEventListener("resize", reach);
    };
  }, [element, there, covered]);
}
