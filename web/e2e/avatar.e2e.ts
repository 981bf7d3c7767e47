import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser, PHONE } from "./browser";
import { begin, hasLiveKit, roomPath, state } from "./call";
import { by, GOOD, Line, SLOW_3G } from "./line";
import { astray, framesOf, framesUntil, LIPS_READ, leads, lipsOf, moodsOf, sinceJoined } from "./lips";
import { speak } from "./microphone";
import { ROOT } from "./paths";

const { open } = inBrowser({ webgl: true });
let line: Line;
beforeAll(async () => {
  line = await Line.to(Number(new URL(inject("stack").gateways[0] as string).port));
});
afterAll(() => line.close());

test("The face is there within 5 s of joining; its lips go with the sound, by a line with jitter too, and rest when somebody cuts in, and its face goes with what the agent does; where it is slow it is off until it is asked for.", async () => {
  const page = await open("/", {
    ...LIPS_READ,
    avatar: true,
    size: PHONE,
    before: async (context) => {
      await LIPS_READ.before(context);
      await by(line, context);
    },
  });
  await begin(page);
  await shown(page);
  const came = await sinceJoined(page);
  console.log(`the avatar was in view ${came} ms after joining, at load ${loadavg()[0]?.toFixed(1)}`);
  expect(came).toBeLessThanOrEqual(5000 * crowd());
  const anyway = page.getByRole("button", { name: "Show it anyway" });
  await anyway.waitFor();
  expect(await page.locator("[data-avatar]").count()).toBe(0);
  await anyway.click();
  await shown(page);

  line.become({ ...SLOW_3G, bytesPerSecond: GOOD.bytesPerSecond });
  const before = (await framesOf(page)).length;
  await speak(page, "story");
  await state(page, "speaking");
  await framesUntil(page, before, "open", 6);
  await page
    .locator("[data-said]")
    .last()
    .filter({ hasText: /(\S+ ){4}\S/ }) // sooner it would be taken back
    .waitFor();
  line.become(GOOD);
  const cuts = page.getByText(/cut off/);
  const sofar = await cuts.count();
  await speak(page, "stop");
  await cuts.nth(sofar).waitFor();
  const cut = (await framesOf(page)).length;
  await framesUntil(page, cut, "at rest", 1);
  const { seen, frames } = await lipsOf(page, before);
  const { ahead, behind, measured } = leads(seen, frames);
  console.log(
    `of ${measured} frames of speech the voice's clock was ${ahead} ms ahead of the sound at most, and half of them up to ${behind} behind`,
  );
  expect(measured).toBeGreaterThan(0);
  expect(Math.max(ahead, behind)).toBeLessThanOrEqual(200);
  expect(astray(seen, frames)).toEqual([]);
  const moods = moodsOf(frames);
  // on a slow machine it thinks between two frames, of one answer or the other
  expect(moods.join(", ")).toMatch(/^listening\b.*\bspeaking\b.*\blistening\b/);
  expect(moods).toContain("thinking");
  await page.getByRole("button", { name: "Turn the avatar off" }).click();
  expect(await page.locator("[data-avatar]").count()).toBe(0);
});

describe.skipIf(!hasLiveKit())("in a LiveKit room", () => {
  test("The lips go with the sound; where it was too slow it is shown again as it is asked for.", async () => {
    const page = await open(roomPath("lips", "Ann"), {
      ...LIPS_READ,
      avatar: { slow: 9, url: `${inject("stack").api_url}/head.glb` },
      size: PHONE,
      before: async (context) => {
        await LIPS_READ.before(context);
        await context.route("**/head.glb", (route) => route.fulfill({ body: HEAD }));
      },
    });
    await begin(page);
    await page.getByText("it needs 15 frames a second, and this device draws 9").waitFor();
    await page.getByRole("button", { name: "Show it anyway" }).click();
    await shown(page);
    const before = (await framesOf(page)).length;
    await speak(page, "story"); // long enough for a machine that draws two frames a second
    await framesUntil(page, before, "open", 2);
    await state(page, "listening");
    const spoken = (await framesOf(page)).length;
    await framesUntil(page, spoken, "at rest", 1);
    const { seen, frames } = await lipsOf(page, before);
    expect(astray(seen, frames)).toEqual([]);
  });
});

test("Another head comes by its address or from a file; what is none, or may not be loaded, is refused in a sentence, and ours is shown; which of ours, and before what, is kept for the next time.", async () => {
  const here = inject("stack").api_url;
  const page = await open("/", {
    size: PHONE,
    avatar: { url: `${here}/hat.glb` },
    expected: /Content Security Policy|Fetch API cannot load/,
    before: async (context) => {
      await context.route("**/hat.glb", (route) => route.fulfill({ body: noHead() }));
      await context.route("**/head.glb", (route) => route.fulfill({ body: HEAD }));
    },
  });
  await page.getByRole("button", { name: "Type instead" }).click();
  await page.getByText(/is no head that can talk .* Ada is shown instead\./).waitFor();
  await shown(page);
  await page.getByRole("button", { name: "Choose an avatar" }).click();
  const dialog = page.getByRole("dialog", { name: "Avatar" });
  const ours = dialog.getByRole("radio", { name: "Ada" });
  expect(await ours.isChecked()).toBe(true);

  const by = async (address: string) => {
    await dialog.getByLabel("Another avatar, by its address").fill(address);
    await dialog.getByRole("button", { name: "Use" }).click();
  };
  await by("https://heads.test/head.glb");
  await dialog.getByText(/This page may not load files from heads\.test\..*API_CONNECTS/).waitFor();
  await by(`${here}/icon.svg`);
  await dialog.getByText("This is no GLB file: it does not begin with glTF.").waitFor();
  const file = dialog.locator("input[type=file]");
  await file.setInputFiles({ name: "half.glb", mimeType: "model/gltf-binary", buffer: HEAD.subarray(0, 100_000) });
  await dialog.getByText("This GLB file is not whole: it is not as long as it says.").waitFor();
  expect(await ours.isChecked()).toBe(true);

  await loaded(page, () => by(`${here}/head.glb`));
  expect(await ours.isChecked()).toBe(false);
  await loaded(page, () => file.setInputFiles({ name: "head.glb", mimeType: "model/gltf-binary", buffer: HEAD }));
  expect(await ours.isChecked()).toBe(false);

  await loaded(page, () => dialog.getByText("Zola", { exact: true }).click());
  await dialog.getByText("Dawn", { exact: true }).click();
  await page.reload();
  await page.getByRole("button", { name: "Return to the call" }).click();
  await page.getByRole("button", { name: "Choose an avatar" }).click();
  expect(await dialog.getByRole("radio", { name: "Zola" }).isChecked()).toBe(true);
  expect(await dialog.getByRole("radio", { name: "Dawn" }).isChecked()).toBe(true);
});

/** Ours, without what its lips do without: a third of the work. */
const HEAD = headOf(readFileSync(join(ROOT, "web/src/call/avatar/avatar.glb")), ["Head", "Suit"]);

/** A GLB file of which only these meshes are left, in plain colours. */
function headOf(glb: Buffer, meshes: string[]): Buffer {
  const length = glb.readUInt32LE(12);
  const json = JSON.parse(glb.subarray(20, 20 + length).toString());
  for (const node of json.nodes) {
    if (node.mesh !== undefined && !meshes.includes(json.meshes[node.mesh].name)) delete node.mesh;
    if (node.mesh === undefined) delete node.skin;
  }
  for (const material of json.materials) delete material.pbrMetallicRoughness.baseColorTexture;
  const text = JSON.stringify(json).padEnd(length);
  return Buffer.concat([glb.subarray(0, 20), Buffer.from(text), glb.subarray(20 + length)]);
}

/** A GLB file that is whole, and shows nothing. */
function noHead(): Buffer {
  const json = Buffer.from('{"asset":{"version":"2.0"},"scenes":[{"nodes":[]}],"scene":0}   ');
  const head = Buffer.alloc(20);
  head.write("glTF");
  for (const [at, value] of [2, head.length + json.length, json.length, 0x4e4f534a].entries()) {
    head.writeUInt32LE(value, 4 + 4 * at);
  }
  return Buffer.concat([head, json]);
}

/** How many times more work the machine has than it can do. Without a GPU it draws by itself, and shares that with whatever else runs. */
function crowd(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}

function shown(page: Page): Promise<void> {
  return page.locator("[data-avatar=shown]").waitFor();
}

/** Does that, and waits until the head that is loaded then is shown; how briefly ever it is loaded. */
async function loaded(page: Page, act: () => Promise<void>): Promise<void> {
  await page.evaluate(() => {
    const begun = new Promise<void>((resolve) => {
      new MutationObserver((_, observer) => {
        if (document.querySelector("[data-avatar=loading]") === null) return;
        observer.disconnect();
        resolve();
      }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-avatar"] });
    });
    Object.assign(window, { begun });
  });
  await act();
  await page.evaluate(() => (window as unknown as { begun: Promise<void> }).begun);
  await shown(page);
}
