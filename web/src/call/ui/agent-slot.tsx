import { Palette, UserRound, UserRoundX } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { choose, useAvatarChoice } from "@/call/avatar/choice";
import { lookOf } from "@/call/avatar/looks";
import type { Call } from "@/call/call";
import type { AgentState } from "@/call/model/events";
import { Ring } from "@/call/ui/ring";
import { Button, IconButton } from "@/ui/button";
import { Dialog } from "@/ui/dialog";

const Face = lazy(() => import("@/call/avatar/face"));
const AvatarSettings = lazy(() => import("@/call/avatar/settings"));

export interface AgentView {
  /** `call.transport.voice` has the sound and its clock, `call.onEvent` the timings, hushes and states. */
  call: Call;
  state: AgentState;
  small?: boolean;
}

/** Where the agent is seen: its face, or a ring where there is no room for one, where it is not wanted or can't be drawn. */
export function AgentSlot({ call, state, small = false }: AgentView) {
  const choice = useAvatarChoice();
  const [anyway, setAnyway] = useState(false);
  const [failed, setFailed] = useState("");
  const [refused, setRefused] = useState("");
  const [shown, setShown] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const ring = <Ring voice={call.transport.voice} state={state} {...(small ? { small } : {})} />;
  const wanted = choice.shown && (choice.slow === 0 || anyway) && failed === "";
  /** An avatar of somebody else's that can't be shown is given up for ours. */
  const fail = (why: string) => {
    if (choice.url === "") {
      setFailed(why);
      return;
    }
    setRefused(`${why} ${lookOf(choice.look).name} is shown instead.`);
    choose({ url: "" });
  };
  const turnOn = () => {
    setRefused("");
    setFailed("");
    setAnyway(choice.slow > 0);
    choose({ shown: true });
  };
  const turnOff = () => choose({ shown: false });
  return (
    <div className="relative flex min-h-0 w-full flex-1 flex-col items-center justify-center overflow-hidden rounded-lg">
      {wanted && shown ? null : ring}
      {wanted ? (
        <Suspense fallback={null}>
          <Face call={call} choice={choice} anyway={anyway} onShown={setShown} onFailed={fail} />
        </Suspense>
      ) : null}
      {choice.shown && !wanted ? <Why failed={failed} slow={choice.slow} onShow={turnOn} /> : null}
      {wanted && refused !== "" ? (
        <p
          role="status"
          className="absolute inset-x-2 bottom-2 z-10 rounded-md bg-surface px-3 py-2 text-center text-xs text-ink"
        >
          {refused}
        </p>
      ) : null}
      <div className="absolute top-1 right-1 z-10 flex gap-1">
        <IconButton size="small" label="Choose an avatar" onClick={() => setChoosing(true)}>
          <Palette aria-hidden className="size-4" />
        </IconButton>
        {wanted ? (
          <IconButton size="small" label="Turn the avatar off" onClick={turnOff}>
            <UserRoundX aria-hidden className="size-4" />
          </IconButton>
        ) : (
          <IconButton size="small" label="Turn the avatar on" onClick={turnOn}>
            <UserRound aria-hidden className="size-4" />
          </IconButton>
        )}
      </div>
      <Dialog open={choosing} title="Avatar" onClose={() => setChoosing(false)}>
        <Suspense fallback={null}>
          <AvatarSettings problem={refused} onChoose={turnOn} />
        </Suspense>
      </Dialog>
    </div>
  );
}

function Why({ failed, slow, onShow }: { failed: string; slow: number; onShow: () => void }) {
  return (
    <p className="flex flex-wrap items-center justify-center gap-x-2 px-3 text-center text-xs text-muted">
      {failed || `The avatar is off: it needs 15 frames a second, and this device draws ${slow}.`}
      <Button tone="quiet" size="small" onClick={onShow}>
        {failed ? "Try again" : "Show it anyway"}
      </Button>
    </p>
  );
}
