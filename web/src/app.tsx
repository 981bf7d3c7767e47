import { lazy, Suspense } from "react";
import { Link, Route, Switch } from "wouter";
import { Shell } from "@/ui/shell";
import { Empty, Loading } from "@/ui/state";

const SessionPage = lazy(() => import("@/console/session/page"));

/** Which view stands at which address. Each is loaded when it is gone to. */
export function App() {
  return (
    <Shell>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path="/sessions/:session" component={SessionPage} />
          <Route>
            <Empty title="There is no such page" action={<Link href="/">To the start</Link>} />
          </Route>
        </Switch>
      </Suspense>
    </Shell>
  );
}
