import { useParams } from "wouter";
import { ApiError } from "@/api/client";
import { useLog } from "@/console/session/data/events";
import { useSession } from "@/console/session/data/session";
import { OpenCall } from "@/console/session/open-call";
import { decoded } from "@/format";
import { Empty, Failed, Loading } from "@/ui/state";

/** `/sessions/:session`: one call, laid open on one clock. */
export default function SessionPage() {
  const { session = "" } = useParams();
  return <Opened key={session} session={decoded(session)} />;
}

function Opened({ session }: { session: string }) {
  const log = useLog(session);
  const read = useSession(session, log.buffer);
  if (read.data !== undefined) return <OpenCall session={session} view={read.data} log={log} />;
  if (read.isError) {
    const gone = read.error instanceof ApiError && read.error.status === 404;
    if (gone)
      return (
        <Empty title="There is no such call">
          {session} is not in the log. Calls are kept for a day after their end, unless your log keeps them longer.
        </Empty>
      );
    return (
      <Failed title="The call can’t be read" retry={() => void read.refetch()}>
        {read.error.message}
      </Failed>
    );
  }
  return <Loading lines={8} label="Reading the call" />;
}
