import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { type Role, useMe } from "@/access/me";
import { keepSignIn } from "@/access/ticket";
import { answered, api } from "@/api/client";
import { Button } from "@/ui/button";
import { copied } from "@/ui/clipboard";
import { Dialog } from "@/ui/dialog";
import { Select, TextField } from "@/ui/field";

const ROLES: Record<Role, string> = {
  caller: "Caller: holds conversations",
  operator: "Operator: watches them, and intervenes",
  admin: "Admin: gives keys, changes agents",
};

interface Old {
  name: string;
  role: Role;
}

/** A key for somebody: shown this once. `first`: there is none yet; it must be an admin's, and it signs in who makes it. `replaces`: the
 * one that it is to follow, which stays good until it is removed. */
export function NewKey({
  open,
  first,
  replaces,
  onClose,
}: {
  open: boolean;
  first: boolean;
  replaces?: Old;
  onClose: () => void;
}) {
  const [shown, setShown] = useState("");
  const close = () => {
    setShown("");
    onClose();
  };
  return (
    <Dialog open={open} title={shown ? "The new key" : replaces ? "Replace this key" : "Add a key"} onClose={close}>
      {shown ? (
        <Once shown={shown} replaces={replaces} onDone={close} />
      ) : (
        <Form first={first} replaces={replaces} onMade={setShown} />
      )}
    </Dialog>
  );
}

function Form({ first, replaces, onMade }: { first: boolean; replaces?: Old; onMade: (shown: string) => void }) {
  const { development } = useMe();
  const queries = useQueryClient();
  const [name, setName] = useState(replaces?.name ?? "");
  const [role, setRole] = useState<Role>(replaces?.role ?? (first ? "admin" : "operator"));
  const add = useMutation({
    mutationFn: async () => {
      const body = { name: name.trim(), role: first ? ("admin" as const) : role };
      const { shown } = await answered(api.POST("/v1/keys", { body }));
      onMade(shown);
      if (development) {
        // from now on everybody needs a key; who made the first one has it
        keepSignIn(await answered(api.POST("/v1/login", { body: { key: shown } })));
      }
    },
    onSettled: () => queries.invalidateQueries(),
  });
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate();
      }}
    >
      <TextField
        label="Name"
        hint="Whose it is: the record of what was done calls them so."
        error={add.error?.message}
        value={name}
        maxLength={64}
        required
        autoFocus
        onChange={(event) => setName(event.target.value)}
      />
      <Select
        label="Role"
        value={first ? "admin" : role}
        disabled={first}
        hint={
          first
            ? "The first key is an admin's. From then on everybody needs a key; this browser signs in with it."
            : undefined
        }
        onChange={(event) => setRole(event.target.value as Role)}
      >
        {Object.entries(ROLES).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </Select>
      <Button type="submit" tone="primary" disabled={name.trim() === "" || add.isPending}>
        Add
      </Button>
    </form>
  );
}

function Once({ shown, replaces, onDone }: { shown: string; replaces?: Old; onDone: () => void }) {
  const [done, setDone] = useState<boolean | null>(null);
  return (
    <div className="flex flex-col gap-4 text-sm">
      <p>
        Copy it now: it is shown this once, and kept nowhere.
        {replaces ? " The old key is good until you remove it: hand this one out first." : ""}
      </p>
      <p className="rounded-md bg-raised p-3 font-mono text-xs break-all select-all">{shown}</p>
      <div className="flex justify-end gap-2">
        <Button
          icon={done ? <Check aria-hidden className="size-4" /> : <Copy aria-hidden className="size-4" />}
          onClick={async () => setDone(await copied(shown))}
        >
          {done === null ? "Copy" : done ? "Copied" : "Select it above"}
        </Button>
        <Button tone="primary" onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}
