import { expect, test, vi } from "vitest";
import type { AgentState } from "@/call/model/events";
import { Ring } from "@/call/ui/ring";
import { rendered } from "@/rendered";

test("The ring widens frame by frame while the agent speaks, and asks for no more frames while it rests.", async () => {
  const frames: FrameRequestCallback[] = [];
  const voice = { level: () => 1, position: () => null };
  const asked: number[] = [];
  for (const state of ["listening", "thinking", "speaking"] satisfies AgentState[]) {
    vi.stubGlobal("requestAnimationFrame", (draw: FrameRequestCallback) => frames.push(draw));
    vi.stubGlobal("cancelAnimationFrame", () => {});
    const { page, close } = await rendered(<Ring voice={voice as never} state={state} />);
    let drawn = 0;
    for (let draw = frames.pop(); draw !== undefined && drawn < 5; draw = frames.pop(), drawn += 1) draw(0);
    asked.push(drawn);
    const width = Number(page.querySelector("circle")?.style.strokeWidth);
    if (state === "speaking") expect(width).toBeGreaterThan(10);
    else expect(width).toBe(1);
    frames.length = 0;
    await close();
  }
  expect(asked).toEqual([1, 1, 5]);
});
