// Opens a page in a real Chromium, clicks a word, and tells as JSON what came of it: node look.mjs
// MODULES CHROMIUM PAGE PICTURE [dark]
import { createRequire } from "node:module";

const [modules, executablePath, file, picture, scheme] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: scheme ?? "light" });
const said = [];
page.on("console", (message) => said.push(message.text()));
page.on("pageerror", (error) => said.push(String(error)));
page.on("dialog", (dialog) => {
  said.push(`dialog: ${dialog.message()}`);
  dialog.dismiss();
});
page.on("request", (request) => {
  if (!/^(file|data):/.test(request.url())) said.push(`asked for ${request.url()}`);
});
await page.goto(`file://${file}`);
await page.screenshot({ path: picture, fullPage: true });

const words = page.locator(".word[data-at]");
const word = words.nth((await words.count()) > 3 ? 2 : 0);
const wanted = Number(await word.getAttribute("data-at"));
await word.click({ position: { x: 3, y: 8 } });
await page.waitForFunction(() => document.querySelector("audio").currentTime > 0);
const found = await page.evaluate(() => document.querySelector("audio").currentTime);
const lit = await page.locator(".word.now").count();
await page.evaluate(() => document.querySelector("audio").pause());

const overflows = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
const wide = await overflows();
await page.locator(".theme").click();
const theme = await page.evaluate(() => document.documentElement.dataset.theme);
await page.setViewportSize({ width: 390, height: 800 });
const narrow = await overflows();
await browser.close();
console.log(JSON.stringify({ said, wanted, found, lit, theme, overflows: [wide, narrow] }));
