import { createContext, useContext } from "react";
import type { components } from "@/api/schema";

/** Who asks, what they may, and what there is here to be used (GET /v1/me). */
export type Me = components["schemas"]["Me"];
export type Role = Me["role"];

const ORDER: readonly Role[] = ["caller", "operator", "admin"];

/** Each role may what those before it may. */
export function may(me: { role: Role }, role: Role): boolean {
  return ORDER.indexOf(me.role) >= ORDER.indexOf(role);
}

export const MeContext = createContext<Me | null>(null);

/** Who uses this page: known wherever a view stands. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === null) throw new Error("a view stands outside <Gate>");
  return me;
}

/** Whether a key was shown: neither development mode nor an anonymous caller. */
export function isSignedIn(me: Me): boolean {
  return !me.development && me.name !== "anonymous";
}
