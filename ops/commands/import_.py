"""`antiphon import`: calls from elsewhere, kept as sessions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import console
from ops.commands._looking import lightly, moment
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.replay.importing import Imported, Keeping
    from ops.replay.shelf import Shelf
    from schemas.bus import Reading
    from schemas.config.settings import Settings

_CAPTIONS = (".vtt", ".srt")


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files that `export` wrote; recordings, each with its captions."),
    ],
    swap: Annotated[bool, typer.Option("--swap", help="In a stereo recording the agent is on the left.")] = False,
    transcribe: Annotated[
        bool, typer.Option("--transcribe", help="What no caption tells is heard by STT_PROVIDER, here.")
    ] = False,
    name: Annotated[str, typer.Option("--as", help="What the session is called, where it is but one.")] = "",
    agent_voice: Annotated[
        str, typer.Option(help="What captions call the agent, where one channel has everybody; `agent` when not given.")
    ] = "",
    began: Annotated[
        float | None, typer.Option(parser=moment, metavar="2026-03-01T12:00", help="When a recorded call began.")
    ] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of an export file that is damaged or cut off take what is sound.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write it into this export file: neither log nor archive is needed."),
    ] = None,
    json: Json = False,
) -> None:
    """Take in calls from elsewhere as sessions.

    A file that `antiphon export` wrote comes back as it was: into the archive that belongs to the log that REDIS_URL names or
    that runs here, where there is none yet into that log, and without a log into this machine's archive. A recording of a call
    that another system held (WAV, FLAC, Ogg, MP3; in stereo the caller left, the agent right) is cut where its people fall
    silent, and becomes a session that can be shown, listened to, compared and replayed. Captions (.vtt, .srt) are
    given beside it.

    \b
    Examples:
      antiphon import call.zip
      antiphon import call.wav call.vtt --as yesterday
      antiphon import their.wav --swap --transcribe -o their.zip
      antiphon import broken.zip --salvage
    """
    lightly()
    if missing := [file for file in files if not file.is_file()]:
        console.fail(f"{missing[0]}: there is no such file", console.USAGE)
    told = [file for file in files if file.suffix.lower() in _CAPTIONS]
    calls = [file for file in files if file not in told]
    if not calls:
        console.fail(f"{told[0]}: captions need the recording they tell of; give both", console.USAGE)
    if (name or out is not None) and len(calls) > 1:
        console.fail(f"{len(calls)} calls: --as and --out are for one; import them one by one", console.USAGE)
    by_call = {call: _captions_of(call, told, alone=len(calls) == 1) for call in calls}
    if lost := [file for file in told if file not in by_call.values()]:
        console.fail(f"{lost[0]}: no recording beside it is called so; name it like its recording", console.USAGE)
    given = {"name": name, "swap": swap, "agent_voice": agent_voice, "salvage": salvage}
    if began is not None:
        given["began"] = round(began * 1e6)
    done = console.run(lambda: _import(by_call, given, out, transcribe=transcribe))
    if json:
        console.emit({"sessions": [_as_json(file, one) for file, one in done], "out": str(out) if out else None})
        return
    for file, one in done:
        _tell(file, one, out)


def _captions_of(call: Path, told: Sequence[Path], *, alone: bool) -> Path | None:
    if alone and len(told) == 1:
        return told[0]
    return next((file for file in told if file.stem == call.stem), None)


async def _import(
    calls: dict[Path, Path | None], given: dict[str, Any], out: Path | None, *, transcribe: bool
) -> "list[tuple[Path, Imported]]":
    from ops.replay.importing import Options, import_export, import_recording, is_export

    stt, settings = _stt() if transcribe else (None, None)
    language = settings.stt_language if settings is not None else ""
    done = []
    try:
        for call, captions in calls.items():
            async with _place(out) as (into, known, keep):
                options = Options(**given, captions=captions, stt=stt, language=language, known=known)
                imported = await (import_export if is_export(call) else import_recording)(call, into, options)
                await keep(imported.session)
            done.append((call, imported))
    finally:
        if stt is not None:
            await stt.aclose()
    return done


_Keep = Callable[[str], Awaitable[None]]


@asynccontextmanager
async def _place(out: Path | None) -> "AsyncIterator[tuple[Keeping, Reading | None, _Keep]]":
    """Where a session is kept: in `out`; in the archive that belongs to the log that REDIS_URL names, or to the running stack's,
    past that log, which is the calls'; where there is none yet in that log; or in this machine's archive, which is made if there
    is none. With it: where else sessions are, and what is to be done at the end."""
    import tempfile

    from ops.replay.shelf import Shelf
    from ops.stack.here import running
    from schemas.config.settings import load

    settings = load()
    async with AsyncExitStack() as stack:
        shelf = Shelf(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-import-"))))
        if out is not None:
            yield shelf, None, lambda session: _write(shelf, session, out)
        elif "redis_url" in settings.model_fields_set or running() is not None:
            from ops.reading import find_log

            both: Any = (await stack.enter_async_context(find_log(None))).log
            keep = await _past_the_log(shelf, settings, stack)
            yield (shelf, both, keep) if keep is not None else (both.live, both, _kept)
        else:
            from ops.replay.shelf import put_away
            from schemas.archive import open_archive, place_of

            place = place_of(settings)
            if place.folder is not None:
                place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            archive = await stack.enter_async_context(open_archive(place.url, place.blobs, upgrade=True))
            yield shelf, archive, lambda session: put_away(shelf, archive, session)


async def _kept(session: str) -> None:
    """The log has it, and whoever archives finds it there."""


async def _past_the_log(shelf: "Shelf", settings: "Settings", stack: AsyncExitStack) -> _Keep | None:
    """None: there is no archive beside it yet."""
    from ops.jobs.following import follows_of
    from ops.replay.shelf import put_away
    from schemas.archive import open_archive
    from schemas.archive.place import archive_of

    place = archive_of(settings)
    if place is None:
        return None
    archive = await stack.enter_async_context(open_archive(place.url, place.blobs))
    return lambda session: put_away(shelf, archive, session, follows=follows_of(settings))


async def _write(shelf: "Keeping", session: str, out: Path) -> None:
    from schemas.session.export import export

    await export(shelf, session, out)


def _stt() -> tuple[Any, Any]:
    from schemas.config.settings import load
    from workers.registry import provider

    settings = load()
    return provider("stt", "", settings), settings


def _as_json(file: Path, one: "Imported") -> dict[str, Any]:
    return {
        "file": str(file),
        "session": one.session,
        "events": one.events,
        "sounds": one.sounds,
        "seconds": round(one.seconds, 3),
        "notes": one.notes,
    }


def _tell(file: Path, one: "Imported", out: Path | None) -> None:
    said = f"{file}: {one.session}, {one.seconds:.1f} s, {one.events} events, {one.sounds} sounds"
    console.out.print(said, soft_wrap=True)
    for note in one.notes:
        console.hang("  ", note)
    console.hang("  ", f"{console.me()} show {out or one.session}")
