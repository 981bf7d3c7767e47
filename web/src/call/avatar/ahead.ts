import ours from "@/call/avatar/avatar.glb?url";
import { avatarChoice } from "@/call/avatar/choice";

/** In the course of a press that begins a call: what the face needs comes while the microphone is opened and the line is made. */
export function fetchFace(): void {
  const { shown, slow, url } = avatarChoice();
  if (!shown || slow > 0) return;
  void import("@/call/avatar/face").catch(() => {}); // whoever shows it says what is wrong
  if (url === "")
    void fetch(ours)
      .then((answer) => answer.arrayBuffer()) // kept by the browser only if it was read
      .catch(() => {});
}
