import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { vi } from "vitest";

/** For tests: a piece of the page as it stands in a document, and what a person does to it. */
export async function rendered(what: ReactNode) {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const page = document.body.appendChild(document.createElement("div"));
  const root = createRoot(page);
  const render = (next: ReactNode) => act(async () => root.render(next));
  await render(what);
  return {
    page,
    render,
    type: (text: string) => type(page.querySelector("input:not([type=file]), textarea") as HTMLInputElement, text),
    submit: () => act(async () => page.querySelector("form")?.requestSubmit()),
    close: async () => {
      await act(async () => root.unmount());
      page.remove();
      vi.unstubAllGlobals();
    },
  };
}

async function type(box: HTMLInputElement | HTMLTextAreaElement, text: string): Promise<void> {
  const kind = box instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
  const set = Object.getOwnPropertyDescriptor(kind.prototype, "value")?.set; // past React, which keeps what it knows
  await act(async () => {
    set?.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
