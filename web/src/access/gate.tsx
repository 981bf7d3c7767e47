import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useCallback, useEffect, useRef, useState } from "react";
import { MeContext } from "@/access/me";
import { SignInForm, SignInPage } from "@/access/sign-in";
import { keepRenewing, signOut } from "@/access/ticket";
import { api, onRefused, onTicket, ticket, unlessRefused, wantsKey } from "@/api/client";
import { Dialog } from "@/ui/dialog";
import { Failed, Loading } from "@/ui/state";

const AGAIN = 3_000;
const NOW_AND_THEN = 300_000;

/** Lets views stand only once it is known who uses them. Asks for a key where the API does: in place of everything at first, before
 * the rest later on, so that what is open (a call, an agent being written) stays open. */
export function Gate({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const me = useQuery({
    queryKey: ["me"],
    queryFn: () => readMe(queries),
    staleTime: 60_000,
    refetchInterval: (query) => unlessRefused(query.state.data ? NOW_AND_THEN : AGAIN)(query),
  });
  const known = useRef(false);
  known.current = me.data !== undefined;

  useEffect(keepRenewing, []);
  useEffect(() => onRefused(() => setAsking(known.current)), []);
  const done = useCallback(() => setAsking(false), []);
  useEffect(
    () =>
      onTicket(() => {
        done(); // signed in elsewhere, by another tab or with the first key; or signed out: it was the ticket before that was refused
        if (ticket()) void queries.invalidateQueries();
      }),
    [queries, done],
  );

  if (me.data === undefined) {
    if (wantsKey(me.error)) return <SignInPage onDone={done} />;
    if (me.error === null) return <Loading label="Asking the API who you are" />;
    return (
      <main>
        <Failed title="The app can't reach its API" retry={() => void me.refetch()}>
          {me.error.message}
        </Failed>
      </main>
    );
  }
  return (
    <MeContext value={me.data}>
      {children}
      <Dialog open={asking} title="Sign in again" onClose={done}>
        <SignInForm onDone={done} />
      </Dialog>
    </MeContext>
  );
}

/** A ticket of old that is refused is thrown away: where strangers are let in, one begins as a stranger. */
async function readMe(queries: QueryClient) {
  try {
    return (await api.GET("/v1/me")).data;
  } catch (error) {
    if (!wantsKey(error) || !ticket() || queries.getQueryData(["me"]) !== undefined) throw error;
    signOut();
    return (await api.GET("/v1/me")).data;
  }
}
