import { useState } from "react";
import { keepSignIn } from "@/access/ticket";
import { ApiError, api } from "@/api/client";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";

/** A key for a ticket. The key is kept nowhere; the ticket is renewed while a page is open. */
export function SignInForm({ onDone }: { onDone: () => void }) {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit() {
    setBusy(true);
    setProblem("");
    try {
      const { data } = await api.POST("/v1/login", { body: { key: key.trim() } });
      if (data) keepSignIn(data);
      onDone();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {/* for password managers: a key has no user name */}
      <input type="text" name="username" autoComplete="username" value="antiphon" readOnly hidden />
      <TextField
        label="Key"
        type="password"
        name="key"
        autoComplete="current-password"
        autoFocus
        spellCheck={false}
        required
        maxLength={200}
        placeholder="antiphon_…"
        value={key}
        onChange={(event) => setKey(event.target.value)}
        error={problem || undefined}
        hint={
          <>
            An admin gives you one. On the machine itself,{" "}
            <code className="font-mono">antiphon key add NAME --role admin</code> makes the first.
          </>
        }
      />
      <Button type="submit" tone="primary" disabled={busy || key.trim() === ""}>
        {busy ? "Signing in" : "Sign in"}
      </Button>
    </form>
  );
}

/** In place of everything, where the API lets nobody in without a key. The address stays: after it, the page that was meant is there. */
export function SignInPage({ onDone }: { onDone: () => void }) {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-sm flex-col justify-center gap-6 px-4 py-10">
      <header className="flex items-center gap-3">
        <img src="/icon.svg" alt="" className="size-8" />
        <h1 className="text-xl font-semibold tracking-tight">Sign in to Antiphon</h1>
      </header>
      <SignInForm onDone={onDone} />
    </main>
  );
}
