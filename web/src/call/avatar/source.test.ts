import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fileAvatar, LARGEST_AVATAR, loadAvatar, unfit } from "@/call/avatar/source";

let made = 0;
const revoked = vi.fn();

beforeEach(() => {
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${++made}`);
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(revoked);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  revoked.mockClear();
});

/** A GLB of so many bytes that says it has `says` of them. */
function glb(bytes = 20, says = bytes): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(bytes);
  file.set(new TextEncoder().encode("glTF"));
  new DataView(file.buffer).setUint32(8, says, true);
  return file;
}

/** Another server, and how often it was asked. */
function serving(answer: () => Response | Promise<Response>) {
  const fetch = vi.fn(async (_: string, init: RequestInit) => {
    expect(init).toMatchObject({ credentials: "omit", referrerPolicy: "no-referrer" });
    return answer();
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

test("A file of this device that is whole can be shown.", async () => {
  expect(await fileAvatar(new File([glb()], "head.glb"))).toMatch(/^blob:/);
});

test.each([
  ["is no GLB", [new TextEncoder().encode("PK a zip, in truth")], "This is no GLB file: it does not begin with glTF."],
  ["is empty", [], "This is no GLB file: it does not begin with glTF."],
  ["ends within its header", [glb(20).slice(0, 8)], "This GLB file is not whole: it is not as long as it says."],
  ["was cut off", [glb(20, 2_000)], "This GLB file is not whole: it is not as long as it says."],
])("A file that %s is refused with a sentence, and no memory is held for it.", async (_, parts, sentence) => {
  await expect(fileAvatar(new File(parts, "head.glb"))).rejects.toThrow(sentence);
  expect(URL.createObjectURL).not.toHaveBeenCalled();
});

test("A file that is too large is refused before it is read.", async () => {
  const file = new File([glb()], "head.glb");
  Object.defineProperty(file, "size", { value: LARGEST_AVATAR + 1 });
  await expect(fileAvatar(file)).rejects.toThrow("head.glb is larger than 40 MB.");
});

test("One that was looked at is loaded but once; another takes its place, and its memory is given back.", async () => {
  const fetch = serving(() => new Response(glb()));
  const first = await loadAvatar("https://heads.example/one.glb");
  expect(await loadAvatar("https://heads.example/one.glb")).toBe(first);
  expect(fetch).toHaveBeenCalledOnce();
  await loadAvatar("https://heads.example/two.glb");
  expect(revoked).toHaveBeenLastCalledWith(first);
  expect(await loadAvatar("blob:mine")).toBe("blob:mine"); // a file of this device
  expect(fetch).toHaveBeenCalledTimes(2);
});

test("An address at which nothing is, is named with what it answered.", async () => {
  serving(() => new Response("", { status: 404 }));
  await expect(loadAvatar("https://heads.example/none.glb")).rejects.toThrow(
    "There is no avatar at https://heads.example/none.glb: it answered 404.",
  );
});

test("An address that can't be had says what its server must do.", async () => {
  serving(() => Promise.reject(new TypeError("Failed to fetch")));
  await expect(loadAvatar("https://heads.example/away.glb")).rejects.toThrow(
    "The avatar at heads.example can't be loaded. It must answer, and let other pages read the file (CORS).",
  );
});

test("An address that the page's policy refuses names the setting.", async () => {
  serving(() => {
    const refusal = Object.assign(new Event("securitypolicyviolation"), { effectiveDirective: "connect-src" });
    document.dispatchEvent(refusal);
    return Promise.reject(new TypeError("Failed to fetch"));
  });
  await expect(loadAvatar("https://heads.example/foreign.glb")).rejects.toThrow(
    /may not load files from heads\.example.*API_CONNECTS/,
  );
});

test("What never ends is left after 40 MB, whatever it said of its length.", async () => {
  const megabyte = new Uint8Array(1_000_000);
  let sent = 0;
  const cancelled = vi.fn();
  const pull = (controller: ReadableStreamDefaultController) => {
    sent++;
    controller.enqueue(megabyte);
  };
  serving(() => new Response(new ReadableStream({ pull, cancel: cancelled })));
  await expect(loadAvatar("https://heads.example/endless.glb")).rejects.toThrow("The avatar is larger than 40 MB.");
  expect(cancelled).toHaveBeenCalled();
  expect(sent).toBeLessThan(50);
});

test("A head that can't talk is told of by where it came from.", () => {
  expect(unfit("https://heads.example/x.glb", "no visemes").message).toBe(
    "The file at heads.example is no head that can talk (no visemes).",
  );
  expect(unfit("blob:1", "no bones").message).toBe("The file is no head that can talk (no bones).");
});
