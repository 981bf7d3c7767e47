import { useQuery } from "@tanstack/react-query";
import { authorization, problemOf } from "@/api/client";

/** What LiveKit lacks here, in a sentence; nothing where nothing is. */
export function LiveKitNeeds() {
  const { error } = useQuery({
    queryKey: ["livekit", "status"],
    retry: false,
    queryFn: async ({ signal }) => {
      const response = await fetch("/v1/livekit/status", { headers: authorization(), signal });
      if (!response.ok) throw await problemOf(response);
      return (await response.json()) as Record<string, unknown>;
    },
  });
  if (error === null) return null;
  return <p className="mt-2 rounded-md bg-warn-wash px-3 py-2 text-sm">{error.message}</p>;
}
