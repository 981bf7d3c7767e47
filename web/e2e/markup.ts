import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Each part would set `window.hit`, were it taken for more than text. */
export const MARKUP = `<img src=x onerror="hit=1"><script>hit=1</script><svg onload="hit=1"></svg>[x](javascript:hit=1)`;

/** Nothing of it has run, and nothing of it has become an element. */
export async function unharmed(page: Page): Promise<void> {
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  expect(await page.locator("img[src=x], svg[onload], a[href^='javascript']").count()).toBe(0);
}
