import { Plus } from "lucide-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { begin, keep, problemOfName } from "@/console/agents/editing";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { TextField } from "@/ui/field";

const START = `# What the LLM is told. What is spoken should be short: no lists, no markdown.
instructions = "You are a friendly voice assistant. Answer in one or two short spoken sentences."

# Spoken as soon as somebody joins; "" waits to be spoken to.
greeting = "Hello, how can I help?"
`;

/** A name, and one is in the editor. Nothing is saved until one says so. */
export function NewAgent({ taken }: { taken: readonly string[] }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [, go] = useLocation();
  const problem = problemOfName(name, taken);
  return (
    <>
      <Button icon={<Plus aria-hidden className="size-4" />} onClick={() => setOpen(true)}>
        New agent
      </Button>
      <Dialog open={open} title="New agent" onClose={() => setOpen(false)}>
        <form
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            keep(name, begin(null, START));
            setOpen(false);
            setName("");
            go(`/agents/${encodeURIComponent(name)}`);
          }}
        >
          <TextField
            label="Name"
            hint="It is how calls ask for it, and the name of its file."
            error={problem || undefined}
            value={name}
            autoFocus
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit" tone="primary" disabled={!name || problem !== ""}>
            Write it
          </Button>
        </form>
      </Dialog>
    </>
  );
}
