import { useQuery } from "@tanstack/react-query";
import { ShieldCheck } from "lucide-react";
import { Link } from "wouter";
import { answered, api } from "@/api/client";
import type { components } from "@/api/schema";
import { count, fullMoment, moment } from "@/format";
import { PageHead } from "@/ui/shell";
import { Empty, Failed, Loading } from "@/ui/state";
import { Chip } from "@/ui/surface";

type Erasure = components["schemas"]["ErasureView"];

const MOST = 100;
/** Hashes that are shown at once; a person may have been in hundreds of calls. */
const SHOWN = 20;

/** `/erasures`: what was deleted for good, when, and who asked; never whose it was. */
export default function ErasuresPage() {
  const { data, error, refetch } = useQuery({
    queryKey: ["erasures"],
    queryFn: ({ signal }) => answered(api.GET("/v1/erasures", { params: { query: { limit: MOST } }, signal })),
  });
  return (
    <>
      <PageHead
        title="Proofs of deletion"
        lead="What was deleted for good, when, and who asked. Nothing here says whose it was."
      >
        <Link href="/replays" className="text-sm font-medium text-accent hover:underline">
          To the replays
        </Link>
      </PageHead>
      <div className="px-4 pb-8 md:px-8">
        {data === undefined && error ? (
          <Failed title="The proofs can’t be read" retry={() => void refetch()}>
            {error.message}
          </Failed>
        ) : null}
        {data === undefined && !error ? <Loading lines={6} label="Reading the proofs" /> : null}
        {data?.erasures.length === 0 ? (
          <Empty title="Nothing was deleted yet" action={<Link href="/sessions">To the sessions</Link>}>
            A call that is over can be deleted on its page, and so can every call of somebody who is in it.
          </Empty>
        ) : null}
        {data?.erasures.length ? (
          <ul aria-label="Proofs" className="divide-y divide-line rounded-md border border-line bg-surface">
            {data.erasures.map((one) => (
              <Proof key={one.id} one={one} />
            ))}
          </ul>
        ) : null}
        {data?.erasures.length === MOST ? (
          <p className="mt-3 text-xs text-muted">
            The latest {MOST}. All of them: <code>antiphon archive erasures -n 1000</code>
          </p>
        ) : null}
      </div>
    </>
  );
}

const KINDS: Record<Erasure["kind"], string> = {
  person: "All calls of a person",
  session: "Calls, one by one",
  memory: "What was remembered of a person",
  retention: "What was old enough",
};

function Proof({ one }: { one: Erasure }) {
  return (
    <li className="flex flex-col gap-1 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="flex items-center gap-2 text-sm font-semibold">
          <ShieldCheck aria-hidden className="size-4 text-muted" />
          {KINDS[one.kind]}
        </h2>
        {one.done_at ? (
          <Chip mood="good" title={fullMoment(one.done_at)}>
            done {moment(one.done_at)}
          </Chip>
        ) : (
          <Chip mood="warn" title="The jobs worker goes on with it">
            not done yet
          </Chip>
        )}
        <span className="ml-auto text-xs text-muted tabular-nums" title={fullMoment(one.asked_at)}>
          asked {moment(one.asked_at)} by {one.asked_by}
        </span>
      </div>
      <p className="text-sm text-muted">
        {count(one.sessions, "call")} · <span className="font-mono text-xs break-all">{one.id}</span>
      </p>
      {one.removed.length ? (
        <details className="text-xs">
          <summary className="w-fit cursor-pointer text-accent">What they were, by their hashes</summary>
          <table className="mt-2 w-full table-fixed">
            <thead className="text-left text-muted">
              <tr>
                <th className="pr-4 font-normal">SHA-256 of the id</th>
                <th className="font-normal">of the events</th>
              </tr>
            </thead>
            <tbody className="font-mono">
              {one.removed.slice(0, SHOWN).map((gone) => (
                <tr key={gone.session} className="align-top">
                  <td className="py-0.5 pr-4 break-all">{gone.session}</td>
                  <td className="py-0.5 break-all">{gone.hash || "never archived"}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {one.sessions > SHOWN ? <p className="text-muted">and {one.sessions - SHOWN} more</p> : null}
        </details>
      ) : null}
    </li>
  );
}
