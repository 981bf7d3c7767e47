import { Link2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button } from "@/ui/button";
import { copied } from "@/ui/clipboard";

/** Puts an address on the clipboard, and into the address bar. */
export function CopyLink({
  link,
  tone = "plain",
  children,
}: {
  link: () => string;
  tone?: "plain" | "quiet";
  children: ReactNode;
}) {
  const [said, setSaid] = useState("");
  const copy = async () => {
    const address = link();
    setSaid((await copied(address)) ? "Copied" : "The address bar has it");
    window.history.replaceState(window.history.state, "", address);
    window.setTimeout(() => setSaid(""), 2_500);
  };
  return (
    <Button size="small" tone={tone} icon={<Link2 aria-hidden className="size-4" />} onClick={copy}>
      <span aria-live="polite">{said || children}</span>
    </Button>
  );
}
