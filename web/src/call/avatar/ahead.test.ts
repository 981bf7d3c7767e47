import { beforeEach, expect, test, vi } from "vitest";
import { fetchFace } from "@/call/avatar/ahead";
import ours from "@/call/avatar/avatar.glb?url";
import { choose } from "@/call/avatar/choice";

const face = vi.hoisted(() => ({ loaded: 0 }));
vi.mock("@/call/avatar/face", () => {
  face.loaded += 1;
  return { default: () => null };
});

const FIRST = { shown: true, look: "ada", background: "plain", url: "", slow: 0 };
let asked: string[] = [];
let read = 0;

beforeEach(() => {
  asked = [];
  read = 0;
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return {
      arrayBuffer: async () => {
        read += 1;
        return new ArrayBuffer(0);
      },
    };
  });
});

test("Nothing is loaded of a face that is not wanted, or that this device draws too slowly.", () => {
  for (const change of [{ shown: false }, { slow: 7 }]) {
    choose({ ...FIRST, ...change });
    fetchFace();
  }
  expect(asked).toEqual([]);
});

test("Of somebody else's avatar the face alone is loaded: its file is the face's to ask for, within its limits.", async () => {
  expect(face.loaded).toBe(0); // by those before
  choose({ ...FIRST, url: "https://elsewhere.example/head.glb" });
  fetchFace();
  await vi.waitFor(() => expect(face.loaded).toBe(1));
  expect(asked).toEqual([]);
});

test("Our head is loaded while the call begins, read to its end so that the browser keeps it.", async () => {
  choose(FIRST);
  fetchFace();
  await vi.waitFor(() => expect([asked, read]).toEqual([[ours], 1]));
});

test("What can't be loaded ahead is no failure: whoever shows the face says what is wrong.", async () => {
  const offline = Promise.reject(new TypeError("offline"));
  vi.stubGlobal("fetch", () => offline);
  choose(FIRST);
  fetchFace();
  await expect(offline).rejects.toThrow("offline"); // and nothing is left unhandled, of which Vitest would tell
});
