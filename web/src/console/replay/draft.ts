import type { components } from "@/api/schema";
import type { Changes } from "@/console/replay/jobs";

export type Spec = components["schemas"]["AgentSpec"];

/** A number of the agent's that can be changed for a replay. */
export interface Knob {
  path: string;
  name: string;
  hint: string;
  unit: string;
  least: number;
  most: number;
  step: number;
}

const knob = (
  path: string,
  name: string,
  hint: string,
  least: number,
  most: number,
  step = 0.05,
  unit = "s",
): Knob => ({
  path,
  name,
  hint,
  unit,
  least,
  most,
  step,
});

/** How the floor passes. */
export const TURN_TAKING: readonly Knob[] = [
  knob("turn_taking.commit_min", "Sure end", "Silence after a sentence that is surely finished", 0, 5),
  knob("turn_taking.commit_max", "Any end", "Silence after which anything is finished", 0.1, 10),
  knob("turn_taking.commit_silence", "End without a model", "Silence where nothing judges the sentence", 0.1, 10),
  knob("turn_taking.waits", "All these waits", "Below 1 answers sooner", 0, 3, 0.05, "×"),
  knob("turn_taking.regret", "Taken back within", "Of the reply’s sound, by who goes on", 0, 2),
  knob("turn_taking.soft_end", "Soft end", "Silence after which the words are looked for", 0.064, 2, 0.01),
  knob("turn_taking.interrupt_after", "Interrupts after", "Unbroken speech over the agent", 0.2, 5),
  knob("turn_taking.resume_after", "Goes on after", "Silence after speech over it", 0.2, 5),
];

/** How it answers and sounds. */
export const ANSWERS: readonly Knob[] = [
  knob("llm.temperature", "Temperature", "0: the likeliest words", 0, 2, 0.1, ""),
  knob("voice.speed", "Speed of speech", "1: the voice’s own", 0.5, 2, 0.05, "×"),
];

const KNOBS = [...TURN_TAKING, ...ANSWERS];
const BARGE_IN = "turn_taking.barge_in";

/** What stands in the form. Everything is text; "": as it was recorded. */
export interface Draft {
  agent: string;
  instructions: string;
  model: string;
  bargeIn: "" | "on" | "off";
  numbers: Record<string, string>;
}

/** Nothing is changed, and nothing is known of what was. */
export const BLANK: Draft = { agent: "", instructions: "", model: "", bargeIn: "", numbers: {} };

/** As the agent's settings are. */
export function draftOf(spec: Spec, agent = ""): Draft {
  const numbers: Record<string, string> = {};
  for (const { path } of KNOBS) {
    const value = at(spec, path);
    if (typeof value === "number") numbers[path] = String(value);
  }
  return {
    agent,
    instructions: spec.instructions ?? "",
    model: spec.llm?.model ?? "",
    bargeIn: spec.turn_taking?.barge_in === false ? "off" : "on",
    numbers,
  };
}

function at(spec: Spec, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], spec);
}

export interface Wish {
  changes: Changes;
  /** What is changed, in words, in the order of the form. */
  told: { name: string; before: string; after: string }[];
  /** What can't be so: by the setting's path. */
  problems: Record<string, string>;
  /** What the workers do anew; without any, turn-taking alone is decided again. */
  works: boolean;
}

/** What is wished for, of `draft`, where `before` stood: only what differs is sent. */
export function wishOf(before: Draft, draft: Draft): Wish {
  const told: Wish["told"] = [];
  const problems: Record<string, string> = {};
  const settings: Record<string, number | boolean> = {};
  const changes: Changes = { agent: draft.agent, settings };
  if (draft.agent) {
    told.push({ name: "agent", before: "as recorded", after: draft.agent });
  }
  const instructions = draft.instructions !== before.instructions && draft.instructions.trim() !== "";
  if (instructions) {
    changes.instructions = draft.instructions;
    told.push({ name: "instructions", before: "", after: "changed" });
  }
  const model = draft.model.trim();
  if (model !== before.model && model) {
    changes.model = model;
    told.push({ name: "model", before: before.model, after: model });
  }
  if (draft.bargeIn && draft.bargeIn !== before.bargeIn) {
    settings[BARGE_IN] = draft.bargeIn === "on";
    told.push({ name: "barge-in", before: before.bargeIn, after: draft.bargeIn });
  }
  for (const { path, name, least, most } of KNOBS) {
    const text = (draft.numbers[path] ?? "").trim();
    const was = before.numbers[path] ?? "";
    if (text === "" || text === was) continue;
    const value = Number(text);
    if (!Number.isFinite(value) || value < least || value > most) problems[path] = `${least} to ${most}`;
    else if (was === "" || value !== Number(was)) {
      settings[path] = value;
      told.push({ name: name.toLowerCase(), before: was, after: text });
    }
  }
  const works =
    draft.agent !== "" || instructions || changes.model !== undefined || ANSWERS.some(({ path }) => path in settings);
  return { changes, told, problems, works };
}
