import clsx from "clsx";
import { type FormEvent, useState } from "react";
import { choose, useAvatarChoice } from "@/call/avatar/choice";
import { BACKGROUNDS, LOOKS, type Rgb } from "@/call/avatar/looks";
import { fileAvatar, loadAvatar } from "@/call/avatar/source";
import { messageOf } from "@/format";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";

/** Which face the agent has, and what is behind it. */
export default function AvatarSettings({ problem, onChoose }: { problem: string; onChoose: () => void }) {
  const choice = useAvatarChoice();
  const foreign = choice.url !== "";
  return (
    <div className="flex flex-col gap-5">
      <fieldset>
        <legend className="mb-2 text-sm font-medium">Look</legend>
        <div className="grid grid-cols-3 gap-2">
          {LOOKS.map((look) => (
            <Choice
              key={look.id}
              group="look"
              name={look.name}
              chosen={!foreign && choice.look === look.id}
              onChoose={() => {
                choose({ look: look.id, url: "" });
                onChoose();
              }}
            >
              <Swatch skin={look.skin} hair={look.hair} suit={look.suit} />
            </Choice>
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend className="mb-2 text-sm font-medium">Background</legend>
        <div className="grid grid-cols-4 gap-2">
          {BACKGROUNDS.map(({ id, name, style }) => (
            <Choice
              key={id}
              group="background"
              name={name}
              chosen={choice.background === id}
              onChoose={() => choose({ background: id })}
            >
              <span aria-hidden className={clsx("h-8 w-full rounded-sm border border-line", style)} />
            </Choice>
          ))}
        </div>
      </fieldset>
      <Foreign url={choice.url} problem={problem} onChoose={onChoose} />
    </div>
  );
}

function Foreign({ url, problem, onChoose }: { url: string; problem: string; onChoose: () => void }) {
  const [address, setAddress] = useState(url.startsWith("blob:") ? "" : url);
  const [wrong, setWrong] = useState("");
  const [looking, setLooking] = useState(false);
  /** What can't be had is not chosen: who is shown stays. */
  const use = async (find: () => Promise<string>) => {
    setWrong("");
    setLooking(true);
    try {
      const found = await find();
      onChoose();
      choose({ url: found });
    } catch (error) {
      setWrong(messageOf(error));
    } finally {
      setLooking(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = address.trim();
    if (wanted !== "") void use(() => loadAvatar(wanted).then(() => wanted));
  };
  const take = (file: File | undefined) => {
    if (file !== undefined) void use(() => fileAvatar(file));
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <TextField
            label="Another avatar, by its address"
            type="url"
            maxLength={500}
            placeholder="https://"
            value={address}
            error={wrong || problem}
            hint="A GLB file with Mixamo's bones and Oculus' visemes. This page loads files from its own address, and from those an operator allows with API_CONNECTS."
            onChange={(event) => setAddress(event.target.value)}
          />
        </div>
        <Button type="submit" disabled={looking} className="mt-6">
          {looking ? "Looking…" : "Use"}
        </Button>
      </div>
      <label className="flex flex-col gap-1 text-sm font-medium">
        Or a file of this device
        <input
          type="file"
          accept=".glb,model/gltf-binary"
          onChange={(event) => take(event.target.files?.[0])}
          className="text-sm font-normal text-muted file:mr-3 file:h-10 file:rounded-md file:border file:border-line file:bg-surface file:px-4 file:text-sm file:font-medium file:text-ink"
        />
        <span className="text-xs font-normal text-muted">It stays in this browser, until the page is closed.</span>
      </label>
    </form>
  );
}

function Choice({
  group,
  name,
  chosen,
  onChoose,
  children,
}: {
  group: string;
  name: string;
  chosen: boolean;
  onChoose: () => void;
  children: React.ReactNode;
}) {
  return (
    <label
      className={clsx(
        "flex cursor-pointer flex-col items-center gap-1.5 rounded-md border p-2 text-xs font-medium has-focus-visible:outline-2 has-focus-visible:outline-accent",
        chosen ? "border-accent bg-accent-wash text-accent" : "border-line text-muted hover:border-strong-line",
      )}
    >
      <input type="radio" name={group} checked={chosen} onChange={onChoose} className="sr-only" />
      {children}
      {name}
    </label>
  );
}

/** Hair, skin and suit, as they are lit. */
function Swatch(colours: { skin: Rgb; hair: Rgb; suit: Rgb }) {
  const skin = colours.skin.map((share, at) => share * (SKIN[at] ?? 1)) as unknown as Rgb;
  return (
    <svg viewBox="0 0 40 40" aria-hidden className="size-10 rounded-full bg-raised">
      <path d="M4 40c0-9 7-12 16-12s16 3 16 12z" fill={css(colours.suit)} />
      <path d="M9 21c-1-11 5-16 11-16s12 5 11 16c0 5-2 8-3 8H12c-1 0-3-3-3-8z" fill={css(colours.hair)} />
      <ellipse cx="20" cy="20" rx="7.5" ry="9.5" fill={css(skin)} />
    </svg>
  );
}

/** The mean of the skin's picture, in linear light. */
const SKIN: Rgb = [0.62, 0.4, 0.3];

/** Linear light as CSS has it. */
function css(colour: Rgb): string {
  const [red, green, blue] = colour.map((share) => Math.round(255 * Math.min(1, share) ** (1 / 2.2) * 1));
  return `rgb(${red} ${green} ${blue})`;
}
