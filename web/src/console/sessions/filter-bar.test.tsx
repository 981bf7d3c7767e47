import { act, useState } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FilterBar } from "@/console/sessions/filter-bar";
import { type Filters, NO_FILTERS } from "@/console/sessions/filters";

let root: Root;
let page: HTMLElement;
let filters: Filters = NO_FILTERS;

function Page({ begin }: { begin: Filters }) {
  const [now, setNow] = useState(begin);
  filters = now;
  return <FilterBar filters={now} agents={[]} onChange={setNow} />;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  page = document.body.appendChild(document.createElement("div"));
  root = createRoot(page);
});

afterEach(async () => {
  await act(async () => root.unmount());
  page.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const open = (begin: Filters) => act(async () => root.render(<Page begin={begin} />));
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

async function type(text: string): Promise<void> {
  const box = page.querySelector<HTMLInputElement>("input[type=search]") as HTMLInputElement;
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
  await act(async () => {
    set?.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

test("a filter that is chosen while somebody types stays chosen", async () => {
  await open(NO_FILTERS);
  await type("ann");
  await act(async () => page.querySelector<HTMLInputElement>("input[type=checkbox]")?.click());
  await pass(300);
  expect(filters).toEqual({ ...NO_FILTERS, q: "ann", failed: true });
});

test("what is cleared while somebody types stays clear", async () => {
  await open({ ...NO_FILTERS, failed: true });
  await type("ann");
  const clear = [...page.querySelectorAll("button")].find(({ textContent }) => textContent === "Clear");
  await act(async () => clear?.click());
  await pass(300);
  expect([filters, page.querySelector<HTMLInputElement>("input[type=search]")?.value]).toEqual([NO_FILTERS, ""]);
});
