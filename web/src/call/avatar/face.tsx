import clsx from "clsx";
import { useEffect, useRef, useState } from "react";
import { Acting } from "@/call/avatar/acting";
import ours from "@/call/avatar/avatar.glb?url";
import { type AvatarChoice, choose } from "@/call/avatar/choice";
import { Head } from "@/call/avatar/head";
import { backgroundOf, lookOf } from "@/call/avatar/looks";
import type { Mood } from "@/call/avatar/moods";
import { Drawing } from "@/call/avatar/pace";
import { AvatarError, loadAvatar, unfit } from "@/call/avatar/source";
import type { Call } from "@/call/call";
import { messageOf } from "@/format";

interface Props {
  call: Call;
  choice: AvatarChoice;
  /** They want to see it however slowly it is drawn. */
  anyway: boolean;
  onShown: (shown: boolean) => void;
  /** `why`: in a sentence. */
  onFailed: (why: string) => void;
}

/** What is told of each frame, as the event `avatarframe` on the avatar's element: for tests, and whoever records.
 * `position`: second of the voice it was drawn for, heard at `heard` (ms, by performance.now()); `open`: how far the mouth is from rest, 0 to 1; `mood`: how the face feels; `frames`: a second. */
export interface AvatarFrame {
  position: number;
  heard: number;
  open: number;
  mood: Mood;
  frames: number;
}

/** The head itself. Nothing of it is loaded before it is to be seen. */
export default function Face({ call, choice, anyway, onShown, onFailed }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const head = useRef<Head | null>(null);
  const insisted = useRef(anyway);
  const [shown, setShown] = useState(false);
  const callbacks = useRef({ onShown, onFailed });
  callbacks.current = { onShown, onFailed };
  insisted.current = anyway;
  const { look, url } = choice;
  const firstLook = useRef(look);
  firstLook.current = look;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const drawing = new Drawing();
    let acting: Acting | null = null;
    let gone = false;
    const frame = () => {
      acting?.frame();
      const position = call.transport.voice.position();
      const heard = performance.now();
      queueMicrotask(() => tell(position, heard)); // once the morphs are what they are to be
      const verdict = drawing.frame(performance.now(), insisted.current);
      if (verdict === "give up") choose({ slow: Math.max(1, Math.round(drawing.rate)) });
      if (verdict === "coarser") head.current?.coarser();
    };
    const tell = (position: number, heard: number) => {
      if (head.current === null) return;
      const { open, mood } = head.current;
      const detail = { position, heard, open, mood, frames: drawing.rate };
      element.dispatchEvent(new CustomEvent<AvatarFrame>("avatarframe", { detail }));
    };
    const away = () => drawing.away();
    document.addEventListener("visibilitychange", away);
    const show = async () => {
      const glb = url === "" ? ours : await loadAvatar(url);
      if (gone) return;
      const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      const look = url === "" ? lookOf(firstLook.current) : null;
      const made = await Head.show(element, glb, { look, calm, onFrame: frame }).catch((error: unknown) => {
        throw url === "" ? error : unfit(url, messageOf(error));
      });
      if (gone) {
        made.close();
        return;
      }
      head.current = made;
      acting = new Acting(call, made);
      setShown(true);
      callbacks.current.onShown(true);
    };
    show().catch((error: unknown) => {
      if (gone) return;
      const why = messageOf(error);
      callbacks.current.onFailed(error instanceof AvatarError ? why : `The avatar can't be shown (${why}).`);
    });
    return () => {
      gone = true;
      document.removeEventListener("visibilitychange", away);
      acting?.close();
      head.current?.close();
      head.current = null;
      setShown(false);
      callbacks.current.onShown(false);
    };
  }, [call, url]);

  useEffect(() => {
    if (url === "") head.current?.wear(lookOf(look));
  }, [look, url]);

  return (
    <div
      ref={place}
      data-avatar={shown ? "shown" : "loading"}
      role="img"
      aria-label="The agent's face"
      className={clsx(
        "absolute inset-0 overflow-hidden transition-opacity duration-500",
        backgroundOf(choice.background),
        shown ? "opacity-100" : "opacity-0",
      )}
    />
  );
}
