import { X } from "lucide-react";
import { CopyLink } from "@/console/session/copy-link";
import type { LogEvent } from "@/console/session/model/shapes";
import { IconButton } from "@/ui/button";

/** One event, whole: as it stands in the log. */
export function EventBody({ event, onClose, link }: { event: LogEvent; onClose: () => void; link: () => string }) {
  return (
    <section aria-label={`Event ${event.seq}`} className="flex max-h-[45%] min-h-0 flex-col border-t border-line">
      <header className="flex items-center gap-2 py-1 pr-2 pl-4">
        <h3 className="min-w-0 flex-1 truncate text-sm font-semibold">
          #{event.seq} {event.type}
        </h3>
        <CopyLink tone="quiet" link={link}>
          Link
        </CopyLink>
        <IconButton size="small" label="Close this event" onClick={onClose}>
          <X aria-hidden className="size-4" />
        </IconButton>
      </header>
      <p className="px-4 pb-1 text-xs text-muted">appended {event.at}</p>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        className="min-h-0 flex-1 overflow-auto px-4 pb-3 font-mono text-xs whitespace-pre-wrap break-words"
      >
        {JSON.stringify(event.body, null, 2)}
      </pre>
    </section>
  );
}
