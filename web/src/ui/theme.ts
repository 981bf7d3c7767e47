type Theme = "light" | "dark";

const KEY = "antiphon.theme";
const DARK = window.matchMedia("(prefers-color-scheme: dark)");

/** Kept in this browser; until one is chosen it is the system's. */
export function chooseTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  show();
}

/** Once, at the start: afterwards the page follows the system. */
export function applyTheme(): void {
  DARK.addEventListener("change", show);
  show();
}

function show(): void {
  const kept = localStorage.getItem(KEY);
  const dark = kept === "dark" || (kept !== "light" && DARK.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", paper);
}
