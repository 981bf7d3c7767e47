/** Light, dark, or as the system has it; kept in this browser. */
export type Theme = "light" | "dark" | "system";

const KEY = "antiphon.theme";
const DARK = window.matchMedia("(prefers-color-scheme: dark)");

export function chosenTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  show();
}

/** Once, at the start: afterwards the page follows the system. */
export function applyTheme(): void {
  DARK.addEventListener("change", show);
  show();
}

function show(): void {
  const theme = chosenTheme();
  const dark = theme === "dark" || (theme === "system" && DARK.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", paper);
}
