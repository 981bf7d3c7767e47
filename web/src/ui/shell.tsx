import clsx from "clsx";
import { type LucideIcon, MoonStar, Sun } from "lucide-react";
import type { ReactNode } from "react";
import { useState } from "react";
import { Link, useRoute } from "wouter";
import { IconButton } from "@/ui/button";
import { chooseTheme } from "@/ui/theme";

interface Place {
  to: string;
  name: string;
  icon: LucideIcon;
}

/** What stands around every view: where one is, and where one can go. Below on a phone, at the side elsewhere.
 * `account`: who is signed in; `banner`: what everybody must know, above every view.
 * A view marked `data-fills` has the height that is left. */
export function Shell({
  places,
  account,
  banner,
  children,
}: {
  places: readonly Place[];
  account?: ReactNode;
  banner?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-surface focus:px-3 focus:py-2"
      >
        Skip to content
      </a>
      <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line px-4 md:hidden">
        <Link href="/" className="flex items-center gap-2 text-sm font-semibold">
          <img src="/icon.svg" alt="" className="size-5" />
          Antiphon
        </Link>
        <div className="ml-auto flex items-center">
          {account}
          <ThemeSwitch />
        </div>
      </header>
      <nav
        aria-label="Main"
        className="fixed inset-x-0 bottom-0 z-40 flex items-center border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:sticky md:top-0 md:h-dvh md:w-52 md:shrink-0 md:flex-col md:items-stretch md:gap-1 md:border-t-0 md:border-r md:p-3"
      >
        <Link href="/" className="mb-4 hidden items-center gap-2 px-2 pt-1 text-base font-semibold md:flex">
          <img src="/icon.svg" alt="" className="size-6" />
          Antiphon
        </Link>
        {places.map((place) => (
          <PlaceLink key={place.to} {...place} />
        ))}
        <div className="hidden md:mt-auto md:flex md:items-center md:justify-between">
          {account}
          <ThemeSwitch />
        </div>
      </nav>
      <main
        id="main"
        tabIndex={-1}
        className="min-w-0 flex-1 pb-20 outline-none has-data-fills:flex has-data-fills:flex-col md:pb-0"
      >
        {banner}
        {children}
      </main>
    </div>
  );
}

function PlaceLink({ to, name, icon: Icon }: Place) {
  const [exact] = useRoute(to);
  const [below] = useRoute(`${to}/*`);
  const here = exact || (to !== "/" && below);
  return (
    <Link
      href={to}
      aria-current={here ? "page" : undefined}
      className={clsx(
        "flex min-h-14 flex-1 flex-col items-center justify-center gap-0.5 text-2xs md:min-h-10 md:flex-none md:flex-row md:justify-start md:gap-3 md:rounded-md md:px-3 md:text-sm",
        here ? "font-semibold text-accent md:bg-accent-wash" : "text-muted hover:text-ink md:hover:bg-raised",
      )}
    >
      <Icon aria-hidden className="size-5 md:size-4" />
      {name}
    </Link>
  );
}

function ThemeSwitch() {
  const [dark, setDark] = useState(document.documentElement.dataset.theme === "dark");
  const Icon = dark ? Sun : MoonStar;
  const other = dark ? "light" : "dark";
  return (
    <IconButton
      label={`Use ${other} colours`}
      onClick={() => {
        chooseTheme(other);
        setDark(!dark);
      }}
    >
      <Icon aria-hidden className="size-4" />
    </IconButton>
  );
}

/** The head of a console's page: its name, and what belongs to the whole of it. */
export function PageHead({ title, lead, children }: { title: ReactNode; lead?: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-x-6 gap-y-3 px-4 pt-6 pb-4 md:px-8">
      <div className="min-w-0">
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        {lead ? <p className="mt-1 text-sm text-muted">{lead}</p> : null}
      </div>
      {children ? <div className="flex flex-wrap items-center gap-2">{children}</div> : null}
    </header>
  );
}
