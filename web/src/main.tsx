import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Gate } from "@/access/gate";
import { ApiError } from "@/api/client";
import { App } from "@/app";
import { keepApp } from "@/keep-app";
import { applyTheme } from "@/ui/theme";
import "@/styles/tokens.css";

const queries = new QueryClient({
  defaultOptions: { queries: { retry: worthAnotherTry, staleTime: 5_000, refetchOnWindowFocus: false } },
});

/** What the API has refused it will refuse again. */
function worthAnotherTry(failures: number, error: Error): boolean {
  return failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500);
}

applyTheme();
keepApp();
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Gate>
        <App />
      </Gate>
    </QueryClientProvider>
  </StrictMode>,
);
