"""What was sent to be taken in becomes a session: an export file of ours, or the recording of a call held elsewhere."""

import asyncio
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ops.jobs.doing import Doing, Progress
from ops.replay.importing import Options, import_export, import_recording, is_export
from schemas.archive.place import place_of
from schemas.archive.uploads import Uploads
from schemas.errors import AntiphonError

__all__ = ["take_in"]


async def take_in(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `upload`, `captions` (uploads' names; "": none), `name` (of the file, as its sender calls it), `called` (the
    session, "": as it was), `swap`, `agent_voice`, `salvage`. The uploads are gone afterwards, whatever comes of it."""
    uploads = Uploads(place_of(doing.settings).blobs)
    names = [one for one in (request["upload"], request.get("captions")) if one]
    await progress(0, 1, "reading it")
    try:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-import-")))
            files: list[Path] = []
            for upload, shown in zip(names, (request["name"], "captions.vtt"), strict=False):
                try:
                    file = await stack.enter_async_context(uploads.read(upload))
                except FileNotFoundError:
                    raise AntiphonError(
                        "what was uploaded is not here: do the API and the jobs worker name the same ARCHIVE_BLOBS? It is "
                        "kept for a day, and taken in once"
                    ) from None
                link = folder / str(len(files)) / shown  # whatever the one is called, the other is another
                link.parent.mkdir()
                os.symlink(file, link)
                files.append(link)
            options = Options(
                name=request.get("called") or "",
                swap=bool(request.get("swap")),
                captions=files[1] if len(files) > 1 else None,
                agent_voice=request.get("agent_voice") or "",
                salvage=bool(request.get("salvage")),
            )
            try:
                made = await (import_export if is_export(files[0]) else import_recording)(files[0], doing.log, options)
            except AntiphonError as error:  # the folder is ours, and gone in a moment
                raise AntiphonError(_without(str(error), [file.parent for file in files])) from None
    except asyncio.CancelledError:  # whoever goes on with it finds them; else they are swept
        raise
    except BaseException:
        await _drop(uploads, names)
        raise
    await _drop(uploads, names)
    await progress(1, 1)
    return {
        "session": made.session,
        "events": made.events,
        "sounds": made.sounds,
        "seconds": round(made.seconds, 3),
        "notes": made.notes,
    }


async def _drop(uploads: Uploads, names: list[str]) -> None:
    for upload in names:
        await uploads.drop(upload)


def _without(said: str, folders: list[Path]) -> str:
    for folder in folders:
        said = said.replace(f"{folder}/", "")
    return said
