import { api, keepTicket, onTicket, ticket, wantsKey } from "@/api/client";

const KEY = "antiphon.ticket.until";
const RETRY = 60_000;
const SOONEST = 5_000;

/** The answer to a sign-in, or to a renewal. */
interface SignedIn {
  ticket: string;
  sound: string;
  expires_in: number;
}

export function keepSignIn({ ticket: value, sound, expires_in }: SignedIn): void {
  localStorage.setItem(KEY, JSON.stringify({ until: Date.now() + expires_in * 1_000, life: expires_in * 1_000 }));
  keepTicket(value, sound);
}

export function signOut(): void {
  localStorage.removeItem(KEY);
  keepTicket("");
}

/** Milliseconds until the ticket should be renewed: at half its life, so that a machine that sleeps a while still has one. */
export function renewalIn(kept: string | null, now: number): number {
  try {
    const { until, life } = JSON.parse(kept ?? "");
    if (typeof until === "number" && typeof life === "number") return Math.max(SOONEST, until - life / 2 - now);
  } catch {
    // nothing is known of it: another one is
  }
  return SOONEST;
}

/** Renews the ticket again and again, in time, until the answered function is called. A 401 leads to the
 * sign-in: what was refused is not tried again. */
export function keepRenewing(): () => void {
  let timer = 0;
  let refused = "";
  const plan = (pause = renewalIn(localStorage.getItem(KEY), Date.now())) => {
    window.clearTimeout(timer);
    if (ticket() && ticket() !== refused) timer = window.setTimeout(renew, pause);
  };
  const renew = async () => {
    const before = ticket();
    try {
      const { data } = await api.POST("/v1/login/renew");
      if (data && ticket() === before) keepSignIn(data); // signed out meanwhile, or another tab was faster
    } catch (error) {
      if (wantsKey(error)) refused = before;
      if (ticket() === before) plan(RETRY);
    }
  };
  const wake = () => {
    if (document.visibilityState === "visible") plan();
  };
  const forget = onTicket(() => plan());
  document.addEventListener("visibilitychange", wake);
  plan();
  return () => {
    window.clearTimeout(timer);
    forget();
    document.removeEventListener("visibilitychange", wake);
  };
}
