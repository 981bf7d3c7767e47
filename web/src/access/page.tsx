import { Link, useRoute } from "wouter";
import { Audit } from "@/access/audit";
import { Keys } from "@/access/keys";
import { PageHead } from "@/ui/shell";

const TAB = "inline-flex h-9 items-center rounded-md px-3 text-sm";

/** `/access` and `/access/audit`: who is let in, and what they did. */
export default function AccessPage() {
  const [audit] = useRoute("/access/audit");
  return (
    <>
      <PageHead title="Access" lead="Who may use this deployment, and what operators and admins did." />
      <nav aria-label="Access" className="flex gap-1 px-4 pb-4 md:px-8">
        <Link
          href="/access"
          aria-current={audit ? undefined : "page"}
          className={`${TAB} ${audit ? "text-muted hover:bg-raised" : "bg-accent-wash font-medium text-accent"}`}
        >
          Keys
        </Link>
        <Link
          href="/access/audit"
          aria-current={audit ? "page" : undefined}
          className={`${TAB} ${audit ? "bg-accent-wash font-medium text-accent" : "text-muted hover:bg-raised"}`}
        >
          What was done
        </Link>
      </nav>
      <div className="px-4 pb-8 md:px-8">{audit ? <Audit /> : <Keys />}</div>
    </>
  );
}
