import { Search, SlidersHorizontal } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { type Filters, NO_FILTERS, TRANSPORTS } from "@/console/sessions/filters";
import { useNarrow } from "@/console/shared/media";
import { transportName } from "@/console/shared/transport-name";
import { Button } from "@/ui/button";
import { Select, TextField } from "@/ui/field";

const SLOW = ["1000", "1500", "2000", "3000", "5000"];
const TYPING = 250;

interface Props {
  filters: Filters;
  agents: readonly string[];
  onChange: (filters: Filters) => void;
  /** Only calls that have ended are meant, and no replays. */
  ended?: boolean;
}

/** What of the sessions is wanted. On a phone all but the search lies behind a button. */
export function FilterBar({ filters, agents, onChange, ended = false }: Props) {
  const narrow = useNarrow();
  const set = Object.entries(filters).filter(([name, value]) => value && name !== "q").length;
  const [open, setOpen] = useState(set > 0);
  const [cleared, setCleared] = useState(0);
  const clear = () => {
    setCleared(cleared + 1); // with what is being typed
    onChange(NO_FILTERS);
  };
  return (
    <search className="flex flex-wrap items-end gap-2 px-4 pb-4 md:px-8">
      <SearchBox key={cleared} value={filters.q} onChange={(q) => onChange({ ...filters, q })} />
      {narrow ? (
        <Button
          aria-expanded={open}
          icon={<SlidersHorizontal aria-hidden className="size-4" />}
          onClick={() => setOpen(!open)}
        >
          {set ? `Filters (${set})` : "Filters"}
        </Button>
      ) : null}
      {narrow && !open ? null : <Choices filters={filters} agents={agents} onChange={onChange} ended={ended} />}
      {set || filters.q ? (
        <Button tone="quiet" onClick={clear}>
          Clear
        </Button>
      ) : null}
    </search>
  );
}

function Choices({ filters, agents, onChange, ended }: Props) {
  const change = (part: Partial<Filters>) => onChange({ ...filters, ...part });
  const known = [...new Set([...agents, filters.agent].filter(Boolean))];
  return (
    <>
      {ended ? null : (
        <Select
          label="State"
          hideLabel
          value={filters.state}
          onChange={(event) => change({ state: event.target.value as Filters["state"] })}
        >
          <option value="">Live and ended</option>
          <option value="open">Live</option>
          <option value="closed">Ended</option>
        </Select>
      )}
      {ended ? null : (
        <Select
          label="Replays"
          hideLabel
          value={filters.forks}
          onChange={(event) => change({ forks: event.target.value as Filters["forks"] })}
        >
          <option value="">Calls and replays</option>
          <option value="none">Calls</option>
          <option value="only">Replays</option>
        </Select>
      )}
      <Select label="Agent" hideLabel value={filters.agent} onChange={(event) => change({ agent: event.target.value })}>
        <option value="">Every agent</option>
        {known.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select
        label="Transport"
        hideLabel
        value={filters.transport}
        onChange={(event) => change({ transport: event.target.value as Filters["transport"] })}
      >
        <option value="">Every transport</option>
        {TRANSPORTS.map((name) => (
          <option key={name} value={name}>
            {transportName(name)}
          </option>
        ))}
      </Select>
      <Select
        label="Slowest turn"
        hideLabel
        value={filters.slow}
        onChange={(event) => change({ slow: event.target.value })}
      >
        <option value="">Any latency</option>
        {[...new Set([...SLOW, filters.slow].filter(Boolean))].map((ms) => (
          <option key={ms} value={ms}>
            A turn over {Number(ms) / 1_000} s
          </option>
        ))}
      </Select>
      <label className="flex h-10 items-center gap-2 px-1 text-sm">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={filters.failed}
          onChange={(event) => change({ failed: event.target.checked })}
        />
        With failures
      </label>
    </>
  );
}

/** Takes effect a moment after the last key. */
function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const latest = useRef(onChange);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    latest.current = onChange;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only typing counts
  useEffect(() => {
    if (typed === value) return;
    const timer = window.setTimeout(() => latest.current(typed), TYPING);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return (
    <div className="relative min-w-0 flex-1 md:max-xl:basis-full xl:max-w-72">
      <Search aria-hidden className="pointer-events-none absolute top-3 left-3 size-4 text-faint" />
      <TextField
        label="Search sessions"
        hideLabel
        type="search"
        placeholder="Caller, room or id"
        maxLength={200}
        className="pl-9"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </div>
  );
}
