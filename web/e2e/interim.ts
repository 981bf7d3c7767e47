import type { Page } from "playwright-core";
import { expect } from "vitest";

/** How a line of somebody's words stood there: each time it looked otherwise. */
export interface Spoken {
  looks: { colour: string; still: boolean }[];
  text: string;
}

/** What becomes, from now on, of the lines in which people's words stand, in the order in which they come: an element each, which nothing
 * takes the place of. */
export async function followLines(page: Page): Promise<() => Promise<Spoken[]>> {
  await page.evaluate(() => {
    const before = new Set(document.querySelectorAll("[aria-label=Transcript] li"));
    const lines = new Map<Element, Spoken>();
    new MutationObserver(() => {
      for (const line of document.querySelectorAll("[aria-label=Transcript] li")) {
        const words = line.querySelector(".text-caller + p");
        if (words === null || before.has(line)) continue;
        const text = words.textContent ?? "";
        const spoken = lines.get(line) ?? { looks: [], text };
        lines.set(line, spoken);
        spoken.text = text;
        const look = { colour: getComputedStyle(words).color, still: text.includes("(still speaking)") };
        const { colour, still } = spoken.looks.at(-1) ?? {};
        if (look.colour !== colour || look.still !== still) spoken.looks.push(look);
      }
    }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ["class"] });
    Object.assign(window, { spokenLines: () => [...lines.values()] });
  });
  return () => page.evaluate(() => (window as unknown as { spokenLines(): Spoken[] }).spokenLines());
}

/** Of what `followLines` tells: one line, grey while its words may change, and in ink once they may not. Its text. */
export async function oneLine(spoken: () => Promise<Spoken[]>): Promise<string> {
  const stills = async () => (await spoken()).map(({ looks }) => looks.map(({ still }) => still));
  await expect.poll(stills).toEqual([[true, false]]);
  const [line] = await spoken();
  expect(new Set(line?.looks.map(({ colour }) => colour)).size).toBe(2);
  return line?.text ?? "";
}
