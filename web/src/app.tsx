import { Suspense, useState } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { Account, DevelopmentBanner } from "@/access/account";
import { isSignedIn, may, type Role, useMe } from "@/access/me";
import { SignInForm } from "@/access/sign-in";
import { CallDock } from "@/call/dock";
import { PAGES, PLACES } from "@/pages";
import { Broken } from "@/ui/broken";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Shell } from "@/ui/shell";
import { Empty, Loading } from "@/ui/state";

/** Which view stands at which address. A page that somebody may not use is not there for them. */
export function App() {
  const me = useMe();
  const [place] = useLocation();
  return (
    <Shell places={PLACES.filter(({ role }) => may(me, role))} account={<Account />} banner={<DevelopmentBanner />}>
      <Broken place={place}>
        <Suspense fallback={<Loading />}>
          <Switch>
            {PAGES.map(({ path, role, view: View }) => (
              <Route key={path} path={path}>
                {may(me, role) ? <View /> : <NotYours role={role} />}
              </Route>
            ))}
            <Route>
              <Empty title="There is no such page" action={<Link href="/">To the start</Link>} />
            </Route>
          </Switch>
        </Suspense>
      </Broken>
      <CallDock />
    </Shell>
  );
}

/** A link led somebody here who may not see it: with another key they may. */
function NotYours({ role }: { role: Role }) {
  const me = useMe();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Empty
        title={`This page is for the role ${role}`}
        action={
          <Button tone="primary" onClick={() => setAsking(true)}>
            {isSignedIn(me) ? "Use another key" : "Sign in"}
          </Button>
        }
      >
        {isSignedIn(me) ? `You are ${me.name}, with the role ${me.role}.` : "You are not signed in."}
      </Empty>
      <Dialog open={asking} title="Sign in" onClose={() => setAsking(false)}>
        <SignInForm onDone={() => setAsking(false)} />
      </Dialog>
    </>
  );
}
