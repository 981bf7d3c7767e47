import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import ImportDialog from "@/console/sessions/import-dialog";

let root: Root;
let page: HTMLElement;
let asked: object[];

/** Takes whatever is sent. */
class Upload {
  readonly upload = {};
  readonly status = 201;
  readonly responseText = JSON.stringify({ upload: "0".repeat(32), bytes: 3 });
  onload = () => {};

  open() {}
  setRequestHeader() {}
  abort() {}

  send() {
    queueMicrotask(() => this.onload());
  }
}

beforeEach(() => {
  asked = [];
  vi.stubGlobal("XMLHttpRequest", Upload);
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "POST") asked.push((await request.json()) as object);
    return new Response(JSON.stringify({ detail: "enough" }), { status: 403 });
  });
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
  root.render(
    <QueryClientProvider client={new QueryClient()}>
      <ImportDialog onClose={() => {}} />
    </QueryClientProvider>,
  );
});

afterEach(() => {
  root.unmount();
  page.remove();
  vi.unstubAllGlobals();
});

const find = <One extends Element>(selector: string) =>
  vi.waitFor(() => {
    const found = page.querySelector<One>(selector);
    if (found === null) throw new Error(`no ${selector}`);
    return found;
  });

async function choose(name: string): Promise<void> {
  const input = await find<HTMLInputElement>("input[type=file]");
  Object.defineProperty(input, "files", { value: [new File(["abc"], name)], configurable: true });
  input.dispatchEvent(new Event("change", { bubbles: true }));
  await vi.waitFor(() => expect(page.textContent).toContain(name));
}

async function send(): Promise<Record<string, unknown>> {
  (await find<HTMLButtonElement>("button[type=submit]")).click();
  await vi.waitFor(() => expect(asked.length).toBe(1));
  return asked[0] as Record<string, unknown>;
}

test("Of an export what is sound is taken only where that was chosen.", async () => {
  await choose("call.zip");
  expect(page.textContent).toContain("take what is sound");
  expect(await send()).toMatchObject({ name: "call.zip", salvage: false, swap: false });
});

test("Salvage is asked for with the file.", async () => {
  await choose("call.zip");
  (await find<HTMLInputElement>("input[type=checkbox]")).click();
  expect(await send()).toMatchObject({ salvage: true });
});

test("A session is called as somebody wants it: where there is one of its name, that is the way.", async () => {
  await choose("call.zip");
  const name = await vi.waitFor(() => {
    const label = [...page.querySelectorAll("label")].find((one) => one.textContent?.includes("Name of the session"));
    const input = label && document.getElementById(label.htmlFor);
    if (!(input instanceof HTMLInputElement)) throw new Error("no name");
    return input;
  });
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(name, "yesterday");
  name.dispatchEvent(new Event("input", { bubbles: true }));
  await vi.waitFor(() => expect(name.value).toBe("yesterday"));
  expect(await send()).toMatchObject({ called: "yesterday" });
});

test("A recording is no export: there is nothing to salvage.", async () => {
  await choose("call.wav");
  expect(page.textContent).not.toContain("Salvage");
  expect(page.textContent).toContain("The agent is on the left");
  expect(await send()).toMatchObject({ salvage: false });
});
