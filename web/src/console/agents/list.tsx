import clsx from "clsx";
import { Link } from "wouter";
import type { AgentRow } from "@/console/shared/agents";
import { Chip } from "@/ui/surface";

/** The agents there are; `chosen` is open beside it. */
export function AgentList({ agents, chosen }: { agents: readonly AgentRow[]; chosen: string }) {
  return (
    <nav aria-label="Agents">
      <ul className="overflow-hidden rounded-md border border-line bg-surface">
        {agents.map(({ name, file, is_default, problem }) => (
          <li key={name} className="border-b border-line last:border-b-0">
            <Link
              href={`/agents/${encodeURIComponent(name)}`}
              aria-current={name === chosen ? "page" : undefined}
              className={clsx(
                "flex items-center gap-2 px-4 py-3 text-sm -outline-offset-2",
                name === chosen ? "bg-accent-wash" : "hover:bg-raised",
              )}
            >
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{name}</span>
                <span className="block truncate text-xs text-muted">{file ?? "built in"}</span>
              </span>
              {problem ? (
                <Chip mood="bad" title={problem}>
                  wrong
                </Chip>
              ) : null}
              {is_default ? <Chip title="Who asks for no agent gets it">default</Chip> : null}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
