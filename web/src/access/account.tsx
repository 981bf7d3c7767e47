import { useQueryClient } from "@tanstack/react-query";
import { LogIn, LogOut } from "lucide-react";
import { useState } from "react";
import { isSignedIn, useMe } from "@/access/me";
import { SignInForm } from "@/access/sign-in";
import { signOut } from "@/access/ticket";
import { leaveCurrent } from "@/call/current";
import { IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";

/** Who is signed in, and the way out; or the way in, where strangers may look around. Nothing where no keys are asked for. */
export function Account() {
  const me = useMe();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  if (me.development) return null;
  if (!isSignedIn(me))
    return (
      <>
        <IconButton label="Sign in" onClick={() => setAsking(true)}>
          <LogIn aria-hidden className="size-4" />
        </IconButton>
        <Dialog open={asking} title="Sign in" onClose={() => setAsking(false)}>
          <SignInForm onDone={() => setAsking(false)} />
        </Dialog>
      </>
    );
  return (
    <div className="flex min-w-0 items-center gap-2">
      <p className="hidden min-w-0 pl-2 text-xs md:block">
        <span className="block truncate font-medium">{me.name}</span>
        <span className="block text-muted">{me.role}</span>
      </p>
      <IconButton
        label={`Sign out ${me.name}`}
        onClick={() => {
          leaveCurrent();
          signOut();
          void queries.resetQueries();
        }}
      >
        <LogOut aria-hidden className="size-4" />
      </IconButton>
    </div>
  );
}

/** What development mode means, above everything: nobody should find it out by being surprised. */
export function DevelopmentBanner() {
  if (!useMe().development) return null;
  return (
    <p role="note" className="bg-warn-wash px-4 py-1.5 text-xs text-warn md:px-8">
      <strong className="font-semibold">Development mode.</strong> No keys are asked for: whoever reaches this address
      may do everything. <code className="font-mono">antiphon key add NAME --role admin</code> ends it.
    </p>
  );
}
