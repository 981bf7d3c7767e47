"""What was sent to be taken in becomes a session: an export file of ours, or the recording of a call held elsewhere."""

import asyncio
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ops.jobs.doing import Doing, Progress
from ops.replay.importing import Options, Ways, import_export, import_recording, is_export
from ops.replay.shelf import Shelf, put_away
from schemas.archive.place import place_of
from schemas.archive.uploads import Uploads
from schemas.errors import AntiphonError, ArchiveError, BusError, ExportError

__all__ = ["take_in"]

_NAME = "“Name of the session”"
_APP = Ways(
    name=_NAME,
    rename=f"give it another under {_NAME}",
    agent_voice="“What captions call the agent”",
    give_words="give its captions (.vtt, .srt) with it",
)
"""As the app's form calls it (web/src/console/sessions/import-dialog.tsx)."""


async def take_in(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `upload`, `captions` (uploads' names; "": none), `name` (of the file, as its sender calls it), `called` (the
    session, "": as it was), `swap`, `agent_voice`, `salvage`. The uploads are gone afterwards, whatever comes of it; who waits
    for the log or the archive finds them there, and so does who goes on after a death: the session that was taken in, too."""
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
                        "what was sent is not here any more: it is kept for a day, and taken in once; send it again. (Is it "
                        "never here? The API and the jobs worker are to name the same ARCHIVE_BLOBS)"
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
                known=doing.both,
                mark=request["upload"][:8],
                ways=_APP,
            )
            (folder / "kept").mkdir()
            shelf = Shelf(folder / "kept")
            try:
                made = await (import_export if is_export(files[0]) else import_recording)(files[0], shelf, options)
                if await shelf.info(made.session) is not None:  # no earlier try had taken it in
                    await put_away(shelf, doing.archive, made.session, ways=_APP, follows=doing.follows)
            except (BusError, ArchiveError):
                raise
            except AntiphonError as error:  # the folder is ours, and gone in a moment
                raise AntiphonError(_without(_said(error), [file.parent for file in files])) from None
    except (asyncio.CancelledError, BusError, ArchiveError):  # whoever goes on with it finds them; else they are swept
        raise
    except BaseException:
        await _drop(uploads, names)
        raise
    result = {
        "session": made.session,
        "events": made.events,
        "sounds": made.sounds,
        "seconds": round(made.seconds, 3),
        "notes": made.notes,
    }
    await progress(1, 1)
    await progress.made(result)
    await _drop(uploads, names)
    return result


async def _drop(uploads: Uploads, names: list[str]) -> None:
    for upload in names:
        await uploads.drop(upload)


def _said(error: AntiphonError) -> str:
    """To whoever has no command line."""
    if not isinstance(error, ExportError) or not error.advice:
        return str(error)
    return f"{error.what}; {'choose “Salvage” to take what is sound' if error.salvage else 'give a .zip as it was exported'}"


def _without(said: str, folders: list[Path]) -> str:
    for folder in folders:
        said = said.replace(f"{folder}/", "")
    return said
