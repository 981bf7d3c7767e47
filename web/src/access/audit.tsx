import { useInfiniteQuery } from "@tanstack/react-query";
import clsx from "clsx";
import { Link } from "wouter";
import { doneInWords } from "@/access/deeds";
import { api } from "@/api/client";
import { fullMoment, moment } from "@/format";
import { Button } from "@/ui/button";
import { Empty, Failed, Loading } from "@/ui/state";
import { Card } from "@/ui/surface";

/** What operators and admins did, the latest first. */
export function Audit() {
  const found = useInfiniteQuery({
    queryKey: ["audit"],
    queryFn: async ({ pageParam, signal }) => {
      const query = { cursor: pageParam || undefined, limit: 100 };
      return (await api.GET("/v1/audit", { params: { query }, signal })).data ?? { deeds: [], next: null };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const deeds = found.data?.pages.flatMap((page) => page.deeds) ?? [];
  return (
    <Card>
      {found.isPending ? <Loading lines={6} /> : null}
      {found.isError && deeds.length === 0 ? (
        <Failed title="The record can't be read" retry={() => void found.refetch()}>
          {found.error.message}
        </Failed>
      ) : null}
      {found.isSuccess && deeds.length === 0 ? (
        <Empty title="Nothing was done yet">
          What operators do to live calls, and admins to keys and agents, stands here; never what was said.
        </Empty>
      ) : null}
      <ul className="divide-y divide-line">
        {deeds.map((deed, index) => (
          <li
            // biome-ignore lint/suspicious/noArrayIndexKey: deeds have no id, and only older ones come
            key={index}
            className="flex flex-wrap items-baseline gap-x-4 gap-y-1 px-4 py-2.5 text-sm"
          >
            <time
              dateTime={deed.at}
              title={fullMoment(deed.at)}
              className="w-full text-xs text-muted tabular-nums sm:w-36"
            >
              {moment(deed.at)}
            </time>
            <span className="min-w-56 flex-1">
              <span className="font-medium">{deed.who}</span> {doneInWords(deed.action)}
              {deed.session ? (
                <>
                  {" "}
                  <Link
                    href={`/sessions/${encodeURIComponent(deed.session)}`}
                    className="font-mono text-2xs break-all text-accent"
                  >
                    {deed.session}
                  </Link>
                </>
              ) : null}
              {deed.about ? <span className="block text-xs break-words text-muted">{deed.about}</span> : null}
            </span>
            <span className="text-xs text-muted">{[deed.role, deed.address].filter(Boolean).join(" · ")}</span>
            <span
              className={clsx(
                "ml-auto text-right text-xs tabular-nums sm:w-20",
                deed.status >= 400 ? "text-bad" : "text-muted",
              )}
            >
              {deed.status >= 400 ? `refused ${deed.status}` : "done"}
            </span>
          </li>
        ))}
      </ul>
      {found.hasNextPage ? (
        <div className="border-t border-line p-3 text-center">
          <Button size="small" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            Show more
          </Button>
        </div>
      ) : null}
    </Card>
  );
}
