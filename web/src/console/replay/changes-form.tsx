import { ANSWERS, type Draft, type Knob, TURN_TAKING } from "@/console/replay/draft";
import { Select, TextArea, TextField } from "@/ui/field";

interface Props {
  draft: Draft;
  onChange: (draft: Draft) => void;
  agents: readonly string[];
  problems: Record<string, string>;
  /** Of many sessions each has its own: what is left empty stays as it is in each. */
  many?: boolean;
}

/** What is to be other than it was. */
export function ChangesForm({ draft, onChange, agents, problems, many = false }: Props) {
  const change = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  const empty = many ? "as recorded" : undefined;
  const fields = (knobs: readonly Knob[]) =>
    knobs.map((knob) => (
      <TextField
        key={knob.path}
        label={knob.unit ? `${knob.name} (${knob.unit})` : knob.name}
        hint={knob.hint}
        error={problems[knob.path]}
        inputMode="decimal"
        placeholder={empty}
        className="tabular-nums"
        value={draft.numbers[knob.path] ?? ""}
        onChange={(event) => change({ numbers: { ...draft.numbers, [knob.path]: event.target.value } })}
      />
    ));
  return (
    <div className="flex flex-col gap-4">
      <div className="grid items-start gap-4 sm:grid-cols-2">
        <Select label="Agent" value={draft.agent} onChange={(event) => change({ agent: event.target.value })}>
          <option value="">As recorded</option>
          {agents.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <TextField
          label="Model"
          placeholder={empty ?? "the workers’ own"}
          maxLength={200}
          spellCheck={false}
          value={draft.model}
          onChange={(event) => change({ model: event.target.value })}
        />
      </div>
      <TextArea
        label="Instructions"
        rows={many ? 3 : 6}
        placeholder={empty}
        maxLength={20_000}
        value={draft.instructions}
        onChange={(event) => change({ instructions: event.target.value })}
      />
      <fieldset>
        <legend className="pb-2 text-sm font-medium">Turn-taking</legend>
        <div className="grid grid-cols-2 items-start gap-x-4 gap-y-3 rounded-md bg-raised p-3">
          {fields(TURN_TAKING)}
          <Select
            label="Barge-in"
            hint="Whether callers can interrupt it"
            value={draft.bargeIn}
            onChange={(event) => change({ bargeIn: event.target.value as Draft["bargeIn"] })}
          >
            {many ? <option value="">As recorded</option> : null}
            <option value="on">On</option>
            <option value="off">Off</option>
          </Select>
        </div>
      </fieldset>
      <fieldset>
        <legend className="pb-2 text-sm font-medium">Answer and voice</legend>
        <div className="grid grid-cols-2 items-start gap-x-4 gap-y-3 rounded-md bg-raised p-3">{fields(ANSWERS)}</div>
      </fieldset>
    </div>
  );
}
