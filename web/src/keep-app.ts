/** Installs the service worker (public/sw.js) of a built app. Without one, as on plain http, nothing is lacking. */
export function keepApp(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  window.addEventListener("load", () => void navigator.serviceWorker.register("/sw.js").catch(() => {}));
}
