import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { isSignedIn, type Role, useMe } from "@/access/me";
import { NewKey } from "@/access/new-key";
import { api } from "@/api/client";
import type { components } from "@/api/schema";
import { fullMoment, moment } from "@/format";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Empty, Failed, Loading } from "@/ui/state";
import { Card, Chip, type Mood } from "@/ui/surface";

type KeyRow = components["schemas"]["KeyRow"];

const MOODS: Record<Role, Mood> = { caller: "neutral", operator: "accent", admin: "warn" };

/** The keys there are: one is added, or followed by another, which is shown once; one is removed. */
export function Keys() {
  const me = useMe();
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [replaced, setReplaced] = useState<KeyRow>();
  const [asked, setAsked] = useState<KeyRow | null>(null);
  const keys = useQuery({
    queryKey: ["keys"],
    queryFn: async ({ signal }) => (await api.GET("/v1/keys", { signal })).data?.keys ?? [],
  });
  const remove = useMutation({
    mutationFn: async ({ id }: KeyRow) => {
      await api.DELETE("/v1/keys/{key}", { params: { path: { key: id } } });
    },
    onSuccess: () => setAsked(null),
    onSettled: () => queries.invalidateQueries({ queryKey: ["keys"] }),
  });
  const add = (
    <Button tone="primary" icon={<Plus aria-hidden className="size-4" />} onClick={() => setAdding(true)}>
      Add a key
    </Button>
  );
  return (
    <Card>
      {keys.isPending ? <Loading lines={3} /> : null}
      {keys.isError && !keys.data ? (
        <Failed title="The keys can't be read" retry={() => void keys.refetch()}>
          {keys.error.message}
        </Failed>
      ) : null}
      {keys.data?.length === 0 ? (
        <Empty title="No keys yet" action={add}>
          The first key must be an admin's: from then on everybody needs one.
        </Empty>
      ) : null}
      {keys.data?.length ? (
        <>
          <ul className="divide-y divide-line">
            {keys.data.map((key) => (
              <li key={key.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
                <span className="min-w-32 flex-1 truncate font-medium max-sm:basis-1/2">{key.name}</span>
                <Chip mood={MOODS[key.role]}>{key.role}</Chip>
                <span className="font-mono text-xs text-muted">{key.id}</span>
                <time dateTime={key.made_at} title={fullMoment(key.made_at)} className="text-xs text-muted">
                  {moment(key.made_at)}
                </time>
                <span className="-mr-3 ml-auto">
                  <Button size="small" tone="quiet" onClick={() => setReplaced(key)}>
                    Replace
                  </Button>
                  <Button size="small" tone="quiet" onClick={() => setAsked(key)}>
                    Remove
                  </Button>
                </span>
              </li>
            ))}
          </ul>
          <div className="border-t border-line p-4">{add}</div>
        </>
      ) : null}
      <NewKey open={adding} first={keys.data?.length === 0} onClose={() => setAdding(false)} />
      <NewKey open={replaced !== undefined} first={false} replaces={replaced} onClose={() => setReplaced(undefined)} />
      <Dialog open={asked !== null} title="Remove this key?" onClose={() => setAsked(null)}>
        {asked ? (
          <div className="flex flex-col gap-4 text-sm">
            <p>
              Whoever uses <strong>{asked.name}</strong> is refused within a second or two.
              {isSignedIn(me) && asked.name === me.name ? " You have signed in with a key of this name yourself." : ""}
              {keys.data?.length === 1
                ? " It is the last one: nobody is let in until there is another (antiphon key add NAME --role admin)."
                : ""}
            </p>
            {remove.error ? <p className="text-bad">{remove.error.message}</p> : null}
            <div className="flex justify-end gap-2">
              <Button onClick={() => setAsked(null)}>Keep it</Button>
              <Button tone="danger" disabled={remove.isPending} onClick={() => remove.mutate(asked)}>
                Remove
              </Button>
            </div>
          </div>
        ) : null}
      </Dialog>
    </Card>
  );
}
