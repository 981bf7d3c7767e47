import { ChevronLeft, RotateCw } from "lucide-react";
import { Link, useLocation, useParams } from "wouter";
import { may, useMe } from "@/access/me";
import { useAgent } from "@/console/agents/data";
import { kept } from "@/console/agents/editing";
import { Editor } from "@/console/agents/editor";
import { AgentList } from "@/console/agents/list";
import { NewAgent } from "@/console/agents/new-agent";
import { useAgents, useReload } from "@/console/shared/agents";
import { LiveMark } from "@/console/shared/live-mark";
import { decoded } from "@/format";
import { Button } from "@/ui/button";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";

/** `/agents` and `/agents/:agent`: which agents there are, and what their files say. */
export default function AgentsPage() {
  const { agent = "" } = useParams();
  const chosen = decoded(agent);
  const { rows, stream } = useAgents();
  const { phase, restart } = stream;
  const reload = useReload();
  const admin = may(useMe(), "admin");
  const broken = rows === undefined && (phase.state === "waiting" || phase.state === "refused");
  return (
    <>
      <PageHead title="Agents" lead="Who answers, and how. Gateways read a file again when a session begins.">
        <LiveMark phase={phase} restart={restart} />
        <Button
          icon={<RotateCw aria-hidden className="size-4" />}
          disabled={reload.isPending}
          onClick={() => reload.mutate()}
        >
          Reload
        </Button>
        {admin ? <NewAgent taken={rows?.map(({ name }) => name) ?? []} /> : null}
      </PageHead>
      <div className="@container px-4 pb-8 md:px-8">
        <p role="status" className={reload.isIdle || reload.isPending ? "sr-only" : "pb-3 text-sm text-muted"}>
          {reload.isSuccess ? "All files were read again." : reload.error?.message}
        </p>
        {rows === undefined && !broken ? <Loading lines={6} /> : null}
        {broken ? (
          <Failed title="The agents can't be read" retry={restart}>
            {phase.state === "waiting" ? phase.because : phase.error.message}
          </Failed>
        ) : null}
        {rows ? (
          <div className="grid items-start gap-6 @3xl:grid-cols-[16rem_minmax(0,1fr)]">
            <div className={chosen ? "hidden @3xl:block" : ""}>
              <AgentList agents={rows} chosen={chosen} />
            </div>
            {chosen ? (
              <div className="min-w-0">
                <Link href="/agents" className="mb-3 inline-flex items-center gap-1 text-sm text-accent @3xl:hidden">
                  <ChevronLeft aria-hidden className="size-4" />
                  All agents
                </Link>
                <Chosen key={chosen} name={chosen} etag={rows.find(({ name }) => name === chosen)?.etag} />
              </div>
            ) : (
              <div className="hidden @3xl:block">
                <Empty title="No agent is chosen">Choose one to read it, change it and try it in a call.</Empty>
              </div>
            )}
          </div>
        ) : null}
      </div>
    </>
  );
}

/** `etag`: of the text that lies there now, undefined where none does. */
function Chosen({ name, etag }: { name: string; etag: string | undefined }) {
  const [, go] = useLocation();
  const { data, error, isPending, gone, refetch } = useAgent(name, etag);
  if (gone) {
    if (kept(name)) return <Editor name={name} file={null} onGone={() => go("/agents")} />;
    return <Empty title={`There is no agent ${name}`} action={<Link href="/agents">All agents</Link>} />;
  }
  if (data) return <Editor name={name} file={data} />;
  if (isPending) return <Loading lines={8} />;
  return (
    <Failed title="The agent can't be read" retry={() => void refetch()}>
      {error?.message}
    </Failed>
  );
}
