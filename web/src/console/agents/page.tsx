import { ChevronLeft, RotateCw } from "lucide-react";
import { Link, useLocation, useParams } from "wouter";
import { may, useMe } from "@/access/me";
import { ApiError } from "@/api/client";
import { useAgent, useAgents, useReload } from "@/console/agents/data";
import { kept } from "@/console/agents/editing";
import { Editor } from "@/console/agents/editor";
import { AgentList } from "@/console/agents/list";
import { NewAgent } from "@/console/agents/new-agent";
import { decoded } from "@/format";
import { Button } from "@/ui/button";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";

/** `/agents` and `/agents/:agent`: which agents there are, and what their files say. */
export default function AgentsPage() {
  const { agent = "" } = useParams();
  const chosen = decoded(agent);
  const agents = useAgents();
  const reload = useReload();
  const admin = may(useMe(), "admin");
  const rows = agents.data?.agents ?? [];
  return (
    <>
      <PageHead title="Agents" lead="Who answers, and how. Gateways read a file again when a session begins.">
        <Button
          icon={<RotateCw aria-hidden className="size-4" />}
          disabled={reload.isPending}
          onClick={() => reload.mutate()}
        >
          Reload
        </Button>
        {admin ? <NewAgent taken={rows.map(({ name }) => name)} /> : null}
      </PageHead>
      <div className="@container px-4 pb-8 md:px-8">
        <p role="status" className={reload.isIdle || reload.isPending ? "sr-only" : "pb-3 text-sm text-muted"}>
          {reload.isSuccess ? "All files were read again." : reload.error?.message}
        </p>
        {agents.isPending ? <Loading lines={6} /> : null}
        {agents.isError && !agents.data ? (
          <Failed title="The agents can't be read" retry={() => void agents.refetch()}>
            {agents.error.message}
          </Failed>
        ) : null}
        {agents.data ? (
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
                <Chosen key={chosen} name={chosen} />
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

function Chosen({ name }: { name: string }) {
  const [, go] = useLocation();
  const file = useAgent(name);
  if (file.data) return <Editor name={name} file={file.data} />;
  if (file.isPending) return <Loading lines={8} />;
  if (file.error instanceof ApiError && file.error.status === 404) {
    if (kept(name)) return <Editor name={name} file={null} onGone={() => go("/agents")} />;
    return <Empty title={`There is no agent ${name}`} action={<Link href="/agents">All agents</Link>} />;
  }
  return (
    <Failed title="The agent can't be read" retry={() => void file.refetch()}>
      {file.error.message}
    </Failed>
  );
}
