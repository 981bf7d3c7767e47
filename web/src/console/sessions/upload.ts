import { ApiError, authorization, BASE } from "@/api/client";
import type { components } from "@/api/schema";
import { sentence } from "@/format";

type Upload = components["schemas"]["Upload"];

/** What is to be taken in: a call, and what was said in it where that lies beside it. */
export interface Chosen {
  call: File | null;
  captions: File | null;
  /** Files that are neither, or too many. */
  others: string[];
}

const CALLS = /\.(zip|wav|flac|ogg|opus|mp3)$/i;
const CAPTIONS = /\.(vtt|srt)$/i;

/** Which of the files is what, by its name. */
export function chosenOf(files: readonly File[]): Chosen {
  const chosen: Chosen = { call: null, captions: null, others: [] };
  for (const file of files) {
    if (CALLS.test(file.name) && chosen.call === null) chosen.call = file;
    else if (CAPTIONS.test(file.name) && chosen.captions === null) chosen.captions = file;
    else chosen.others.push(file.name);
  }
  return chosen;
}

/** An export file of our own has everything; a recording may have captions, and sides. */
export function isExport(file: File): boolean {
  return /\.zip$/i.test(file.name);
}

/** Sends a file, and tells how much of it is there, 0 to 1. Rejects with an ApiError. (`fetch` does not tell.) */
export function upload(file: File, onShare: (share: number) => void, signal: AbortSignal): Promise<Upload> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${BASE}/v1/uploads?name=${encodeURIComponent(file.name.slice(0, 200))}`);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onShare(total ? loaded / total : 0);
    request.onload = () => {
      const body = parsed(request.responseText);
      if (request.status === 201) resolve(body as unknown as Upload);
      else
        reject(
          new ApiError(request.status, String(body.code ?? "http"), sentence(String(body.detail ?? "it was refused"))),
        );
    };
    request.onerror = () =>
      reject(
        new ApiError(0, "unreachable", "The file did not arrive: it may be too large, or the API does not answer."),
      );
    request.onabort = () => reject(new ApiError(0, "stopped", "It was stopped."));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
