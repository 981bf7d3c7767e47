import { Activity, AudioLines, Bot, Gauge, GitFork, KeyRound, ListTree, type LucideIcon } from "lucide-react";
import { type ComponentType, lazy } from "react";
import type { Role } from "@/access/me";

/** A view and its address, for those who may use it. */
export interface Page {
  path: string;
  role: Role;
  view: ComponentType;
}

/** Each view is loaded when it is gone to. */
export const PAGES: readonly Page[] = [
  { path: "/", role: "caller", view: lazy(() => import("@/call/page")) },
  { path: "/latency", role: "operator", view: lazy(() => import("@/console/latency/page")) },
  { path: "/access/:part?", role: "admin", view: lazy(() => import("@/access/page")) },
  { path: "/agents/:agent?", role: "operator", view: lazy(() => import("@/console/agents/page")) },
  { path: "/sessions", role: "operator", view: lazy(() => import("@/console/sessions/page")) },
  { path: "/replays/new", role: "operator", view: lazy(() => import("@/console/replays/new-batch")) },
  { path: "/replays/:job?", role: "operator", view: lazy(() => import("@/console/replays/page")) },
  { path: "/erasures", role: "operator", view: lazy(() => import("@/console/erasures/page")) },
  { path: "/compare", role: "operator", view: lazy(() => import("@/console/compare/page")) },
  { path: "/queues", role: "operator", view: lazy(() => import("@/console/queues/page")) },
  { path: "/sessions/:session", role: "operator", view: lazy(() => import("@/console/session/page")) },
];

/** What the menu shows. */
export interface Place {
  to: string;
  name: string;
  icon: LucideIcon;
  role: Role;
}

export const PLACES: readonly Place[] = [
  { to: "/", name: "Talk", icon: AudioLines, role: "caller" },
  { to: "/sessions", name: "Sessions", icon: ListTree, role: "operator" },
  { to: "/replays", name: "Replays", icon: GitFork, role: "operator" },
  { to: "/latency", name: "Latency", icon: Gauge, role: "operator" },
  { to: "/queues", name: "Queues", icon: Activity, role: "operator" },
  { to: "/agents", name: "Agents", icon: Bot, role: "operator" },
  { to: "/access", name: "Access", icon: KeyRound, role: "admin" },
];
