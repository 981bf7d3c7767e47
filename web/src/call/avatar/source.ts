/** Bytes of an avatar, at most. */
export const LARGEST_AVATAR = 40 * 1024 * 1024;
const PATIENCE_MS = 30_000;
/** Bytes that a GLB file begins with: glTF, its version, its length. */
const HEADER = 12;
/** A refusal of the page's policy is told a little after the request has failed. */
const TOLD_MS = 200;

/** An avatar that could not be had; `message` is a sentence for a person. */
export class AvatarError extends Error {}

/** The last one that was had by its address: it is looked at before it is chosen, and loaded but once. */
let kept = { url: "", blob: "" };

/** The avatar at `url`, as an address that can be loaded from here. The page's policy lets it come from this origin, and from those that the
 * operator has allowed (API_CONNECTS). */
export async function loadAvatar(url: string): Promise<string> {
  if (url.startsWith("blob:")) return url;
  if (url === kept.url) return kept.blob;
  const refused = watchPolicy();
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    if (!answer.ok) throw new AvatarError(`There is no avatar at ${url}: it answered ${answer.status}.`);
    const blob = await made(await bounded(answer));
    URL.revokeObjectURL(kept.blob);
    kept = { url, blob };
    return blob;
  } catch (error) {
    if (error instanceof AvatarError) throw error;
    const host = hostOf(url);
    await new Promise((resolve) => setTimeout(resolve, TOLD_MS));
    throw new AvatarError(
      refused.was()
        ? `This page may not load files from ${host}. An operator allows it with API_CONNECTS; or save the file and choose it here.`
        : `The avatar at ${host} can't be loaded. It must answer, and let other pages read the file (CORS).`,
    );
  } finally {
    refused.stop();
  }
}

/** A file of this device, kept while the page is open. */
export async function fileAvatar(file: File): Promise<string> {
  if (file.size > LARGEST_AVATAR) throw new AvatarError(`${file.name} is larger than 40 MB.`);
  return made(file);
}

/** What can be told of a file that was loaded, and can't be shown. `why`: for who made it. */
export function unfit(url: string, why: string): AvatarError {
  const file = url.startsWith("blob:") ? "The file" : `The file at ${hostOf(url)}`;
  return new AvatarError(`${file} is no head that can talk (${why}).`);
}

/** Answers an address of its own for it; who is done with it revokes that. */
async function made(blob: Blob): Promise<string> {
  const header = await blob.slice(0, HEADER).arrayBuffer();
  if (new TextDecoder().decode(header.slice(0, 4)) !== "glTF")
    throw new AvatarError("This is no GLB file: it does not begin with glTF.");
  if (header.byteLength < HEADER || new DataView(header).getUint32(8, true) !== blob.size)
    throw new AvatarError("This GLB file is not whole: it is not as long as it says.");
  return URL.createObjectURL(blob);
}

function hostOf(url: string): string {
  return new URL(url, window.location.href).host;
}

async function bounded(answer: Response): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = answer.body?.getReader();
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
    if (done || value === undefined) return new Blob(parts);
    size += value.byteLength;
    if (size > LARGEST_AVATAR) {
      await reader?.cancel();
      throw new AvatarError("The avatar is larger than 40 MB.");
    }
    parts.push(value as Uint8Array<ArrayBuffer>);
  }
}

function watchPolicy(): { was: () => boolean; stop: () => void } {
  let refused = false;
  const note = (event: SecurityPolicyViolationEvent) => {
    refused ||= event.effectiveDirective === "connect-src";
  };
  document.addEventListener("securitypolicyviolation", note);
  return { was: () => refused, stop: () => document.removeEventListener("securitypolicyviolation", note) };
}
