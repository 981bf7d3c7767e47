import { useQuery } from "@tanstack/react-query";
import { liveKitStatus } from "@/call/api";
import { roomsLack } from "@/call/rooms-lack";
import { sentence } from "@/format";

/** What LiveKit lacks here, in a sentence; nothing where nothing is. */
export function LiveKitNeeds() {
  const { data, error } = useQuery({
    queryKey: ["livekit", "status"],
    retry: false,
    queryFn: ({ signal }) => liveKitStatus(signal),
  });
  const problem = roomsLack(window) || error?.message || sentence(data?.problem ?? "");
  if (problem === "") return null;
  return (
    <p role="status" className="mt-2 rounded-md bg-warn-wash px-3 py-2 text-sm">
      {problem}
    </p>
  );
}
