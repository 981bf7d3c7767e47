import type { Gateway } from "@/console/queues/model";
import { count } from "@/format";
import { Empty } from "@/ui/state";
import { Card, Chip } from "@/ui/surface";

/** Who holds the calls, and how many more each would take. */
export function Gateways({ gateways }: { gateways: readonly Gateway[] }) {
  return (
    <Card title="Gateways">
      {gateways.length === 0 ? (
        <Empty title="No gateway is running">
          Nobody can call. Start one: <code className="font-mono text-xs">antiphon gateway</code>
        </Empty>
      ) : (
        <ul className="divide-y divide-line">
          {gateways.map((gateway) => (
            <li key={gateway.name} className="flex flex-col gap-1.5 px-4 py-3 text-sm">
              <div className="flex items-center gap-3">
                <span className="min-w-0 flex-1 truncate font-mono text-xs" title={gateway.url}>
                  {gateway.name}
                </span>
                {gateway.draining ? (
                  <Chip mood="warn" title="It takes no new sessions, and stops when the last one has ended">
                    draining
                  </Chip>
                ) : null}
                <span className="whitespace-nowrap tabular-nums">
                  {count(gateway.sessions, "session")}
                  <span className="text-muted">, room for {gateway.places.toLocaleString("en")}</span>
                </span>
              </div>
              <Share of={gateway.sessions} all={gateway.sessions + gateway.places} />
              <p className="text-xs text-muted">{gateway.transports.join(" · ")}</p>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Share({ of, all }: { of: number; all: number }) {
  return (
    <div aria-hidden className="h-1 overflow-hidden rounded-full bg-raised">
      <div className="h-full rounded-full bg-accent" style={{ width: `${all ? (100 * of) / all : 0}%` }} />
    </div>
  );
}
