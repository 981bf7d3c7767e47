import { useMutation } from "@tanstack/react-query";
import { authorization, BASE, problemOf } from "@/api/client";

/** Fetches a file, and has the browser keep it under the name that the API gives it, or `name`. */
export function useDownload() {
  return useMutation({
    mutationFn: async ({ path, name }: { path: string; name: string }) => {
      const headers = authorization();
      const response = await fetch(BASE + path, { headers, cache: "no-store" });
      if (!response.ok) throw await problemOf(response, headers.Authorization ?? null);
      save(await response.blob(), nameOf(response.headers.get("Content-Disposition")) || name);
    },
  });
}

/** The name that a header gives a file; "" where there is none. */
export function nameOf(disposition: string | null): string {
  return /filename="([^"/\\]+)"/.exec(disposition ?? "")?.[1] ?? "";
}

function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // it is read while it is saved
}
