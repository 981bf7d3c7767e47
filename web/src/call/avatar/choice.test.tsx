import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { avatarChoice, choose, read } from "@/call/avatar/choice";
import { BACKGROUNDS, backgroundOf, LOOKS, lookOf } from "@/call/avatar/looks";
import AvatarSettings from "@/call/avatar/settings";
import { rendered } from "@/rendered";

const FIRST = { shown: true, look: "ada", background: "plain", url: "", slow: 0 };
const kept = () => read(localStorage.getItem("antiphon.avatar"));

let close = async () => {};
beforeEach(() => choose(FIRST));
afterEach(async () => {
  await close();
  vi.restoreAllMocks();
});

/** What is chosen of the avatar, and what a person does to choose it. */
async function settings() {
  const onChoose = vi.fn();
  const shown = await rendered(<AvatarSettings problem="" onChoose={onChoose} />);
  close = shown.close;
  const press = (name: string) =>
    act(async () =>
      [...shown.page.querySelectorAll("label")]
        .find(({ textContent }) => textContent === name)
        ?.querySelector("input")
        ?.click(),
    );
  const address = async (url: string) => {
    const box = shown.page.querySelector("input[type=url]") as HTMLInputElement;
    await act(async () => {
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(box, url);
      box.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await shown.submit();
  };
  const file = async (one: File) => {
    const box = shown.page.querySelector("input[type=file]") as HTMLInputElement;
    Object.defineProperty(box, "files", { value: [one] });
    await act(async () => box.dispatchEvent(new Event("change", { bubbles: true })));
  };
  return { ...shown, onChoose, press, address, file, problem: () => shown.page.querySelector("[role=alert]") };
}

test("Each look and each background that is chosen is shown, and kept for the next time.", async () => {
  const { press, onChoose } = await settings();
  for (const { id, name } of LOOKS) {
    await press(name);
    expect([kept().look, lookOf(avatarChoice().look).name]).toEqual([id, name]);
  }
  for (const { id, name, style } of BACKGROUNDS) {
    await press(name);
    expect([kept().background, backgroundOf(avatarChoice().background)]).toEqual([id, style]);
  }
  expect(kept().look).toBe(LOOKS.at(-1)?.id);
  expect(onChoose).toHaveBeenCalledTimes(LOOKS.length - 1); // the first one stood
});

test("A look or a background that is there no more is the first one.", () => {
  expect([lookOf("gone").id, backgroundOf("gone")]).toEqual(["ada", "bg-transparent"]);
});

test("An address that can't be had is told in a sentence, and who is shown stays.", async () => {
  const { address, onChoose, problem } = await settings();
  vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
  await address("https://heads.example/none.glb");
  await vi.waitFor(() => act(async () => expect(problem()?.textContent).toContain("it answered 404.")));
  expect([avatarChoice().url, onChoose.mock.calls.length]).toEqual(["", 0]);
});

test("A file that is no head is told in a sentence; one that may be is shown, and its memory given back once another is chosen.", async () => {
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:mine");
  const revoke = vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => {});
  const { file, problem, close: closed } = await settings();
  await file(new File(["no head"], "cat.png"));
  await vi.waitFor(() => act(async () => expect(problem()?.textContent).toContain("does not begin with glTF")));
  expect(avatarChoice().url).toBe("");
  await closed();
  const again = await settings();
  const head = new Uint8Array(20);
  head.set(new TextEncoder().encode("glTF"));
  head[8] = 20;
  await again.file(new File([head], "head.glb"));
  await vi.waitFor(() => act(async () => expect(avatarChoice().url).toBe("blob:mine")));
  expect(kept().url).toBe(""); // it is gone with its page
  expect(revoke).not.toHaveBeenCalled();
  await again.press("Maeve");
  expect(revoke).toHaveBeenCalledExactlyOnceWith("blob:mine");
  expect(avatarChoice()).toMatchObject({ look: "maeve", url: "" });
});
