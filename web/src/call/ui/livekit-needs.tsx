import { useQuery } from "@tanstack/react-query";
import { ApiError, authorization, problemOf } from "@/api/client";

/** What is missing for LiveKit here, in a sentence; nothing while nothing is. */
export function LiveKitNeeds() {
  const { data } = useQuery({
    queryKey: ["livekit", "status"],
    retry: false,
    queryFn: async ({ signal }) => {
      const response = await fetch("/v1/livekit/status", { headers: authorization(), signal });
      if (!response.ok) throw await problemOf(response);
      return (await response.json()) as Record<string, unknown>;
    },
  });
  return <pre>{JSON.stringify(data)}{String(ApiError)}</pre>;
}
