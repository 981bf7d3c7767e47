import { useQuery } from "@tanstack/react-query";
import { listedAgents } from "@/call/api";
import { Select } from "@/ui/field";

interface Props {
  agent: string;
  /** Whether a LiveKit room was named, which may stand. */
  named: boolean;
  onChoose: (agent: string) => void;
}

/** Which agent answers. Where there is but one, or none may be listed, there is nothing to choose. */
export function AgentChoice({ agent, named, onChoose }: Props) {
  const { data } = useQuery({
    queryKey: ["call", "agents"],
    retry: false,
    queryFn: ({ signal }) => listedAgents(signal),
  });
  const usable = (data ?? []).filter((one) => !one.problem);
  const listed = usable.some((one) => one.name === agent);
  if (usable.length < 2 && (agent === "" || listed)) return null;
  return (
    <div className="sm:col-span-2">
      <Select
        label="Agent"
        value={agent}
        hint={named ? "A room that stands keeps the agent it has." : undefined}
        onChange={(event) => onChoose(event.target.value)}
      >
        <option value="">{usable.find((one) => one.is_default)?.name ?? "The default one"}</option>
        {usable
          .filter((one) => !one.is_default)
          .map((one) => (
            <option key={one.name} value={one.name}>
              {one.name}
            </option>
          ))}
        {agent && !listed ? <option value={agent}>{agent}</option> : null}
      </Select>
    </div>
  );
}
