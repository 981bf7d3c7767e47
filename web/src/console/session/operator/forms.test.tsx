import { notifyManager, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { InstructionsForm, SayForm } from "@/console/session/operator/forms";
import { rendered } from "@/rendered";

let close = async () => {};
afterEach(() => close());
notifyManager.setScheduler(queueMicrotask); // what a query tells is shown before an act is over

/** The form, once the instructions were read; later the API fails. */
async function opened() {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const onDone = vi.fn();
  const fetch = vi.fn(async (_: Request) => Response.json({ instructions: "Be brief." }));
  vi.stubGlobal("fetch", fetch);
  const shown = await rendered(
    <QueryClientProvider client={queries}>
      <InstructionsForm session="a" onDone={onDone} />
    </QueryClientProvider>,
  );
  close = shown.close;
  const box = () => shown.page.querySelector("textarea")?.value;
  await vi.waitFor(() => act(async () => expect(box()).toBe("Be brief.")));
  await shown.type("Be kind.");
  fetch.mockClear();
  fetch.mockImplementation(async () => Response.json({ code: "log", detail: "away", errors: [] }, { status: 503 }));
  return { ...shown, box, fetch, queries, onDone };
}

test("Instructions that are being typed stay, though those before them can't be read again.", async () => {
  const { box, fetch, queries, page } = await opened();
  await act(async () => queries.invalidateQueries());
  expect([fetch.mock.calls.length, queries.getQueryState(["instructions", "a"])?.status]).toEqual([1, "error"]);
  expect([box(), page.querySelector("[role=alert]")]).toEqual(["Be kind.", null]);
});

test("Instructions that could not be sent stay, with why; sent again they are the same request.", async () => {
  const { box, fetch, page, submit, onDone } = await opened();
  for (let times = 1; times <= 2; times++) {
    await submit();
    await vi.waitFor(() => act(async () => expect(page.querySelector("[role=alert]")?.textContent).toBe("Away.")));
    expect(box()).toBe("Be kind.");
    expect(fetch).toHaveBeenCalledTimes(times);
  }
  const keys = fetch.mock.calls.map(([request]) => request.headers.get("idempotency-key"));
  expect(keys[0]).toBeTruthy();
  expect(keys[1]).toBe(keys[0]);
  expect(onDone).not.toHaveBeenCalled();
});

test("What an operator has said may be interrupted, or not, as is ticked.", async () => {
  const fetch = vi.fn(async (_: Request) =>
    Response.json({ code: "log", detail: "away", errors: [] }, { status: 503 }),
  );
  vi.stubGlobal("fetch", fetch);
  const shown = await rendered(
    <QueryClientProvider client={new QueryClient()}>
      <SayForm session="a" onDone={vi.fn()} />
    </QueryClientProvider>,
  );
  close = shown.close;
  await shown.type("This call is recorded.");
  const sent = async (times: number) => {
    await shown.submit();
    await vi.waitFor(() =>
      act(async () => expect(shown.page.querySelector("[role=alert]")?.textContent).toBe("Away.")),
    );
    expect(fetch).toHaveBeenCalledTimes(times);
    return fetch.mock.calls[times - 1]?.[0].json();
  };
  const asked = { text: "This call is recorded.", interrupt: false };
  expect(await sent(1)).toEqual({ ...asked, interruptible: true });
  const boxes = [...shown.page.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
  expect(boxes.map((box) => box.parentElement?.textContent?.trim())).toContain("To its end, whoever speaks meanwhile");
  await act(async () => boxes[1]?.click());
  expect(await sent(2)).toEqual({ ...asked, interruptible: false });
});
