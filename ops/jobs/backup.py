"""A copy of the archive, taken while it is used: the database as of one moment, and every sound that it names."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.archive.store import Archive, is_ours
from schemas.errors import ArchiveDenied, ArchiveError

__all__ = ["DATABASE", "SOUND", "BackedUp", "back_up"]

DATABASE, SOUND = "archive.sqlite", "sound"
_PART = ".part"
"""Of a copy that is not whole yet."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """`fresh`: objects that an older backup in this folder did not have; `missing`: that were deleted meanwhile."""

    objects: int
    fresh: int
    missing: int


async def back_up(archive: Archive, folder: Path) -> BackedUp:
    """Into `folder`, which may hold an older one: what has not changed is not copied again. ArchiveDenied: the archive itself
    lies there; ArchiveError."""
    part = folder / f"{DATABASE}{_PART}"
    try:
        if await asyncio.to_thread(_overlaps, folder, archive.files):
            raise ArchiveDenied(f"{folder}: the archive itself lies there; give another folder for its copy")
        await asyncio.to_thread(_folder, folder)
        await asyncio.to_thread(part.unlink, missing_ok=True)
        await archive.copy_database(part)
        names = await archive.objects()
        fresh = missing = 0
        for name in sorted(names):
            file = folder / SOUND / name
            if await asyncio.to_thread(file.exists):
                continue
            new = file.with_name(f"{file.name}{_PART}")
            await asyncio.to_thread(_folder, file.parent)
            try:
                await archive.fetch(name, new)
            except FileNotFoundError:  # what there is of its copy goes with the rest
                missing += 1
                continue
            await asyncio.to_thread(new.replace, file)
            fresh += 1
        await asyncio.to_thread(_drop, folder / SOUND, names)
        await asyncio.to_thread(part.replace, folder / DATABASE)
    except ArchiveError:
        raise
    except OSError as error:
        raise ArchiveDenied(f"{folder}: can't be written to ({error.strerror}); give another folder") from None
    return BackedUp(len(names), fresh, missing)


def _overlaps(folder: Path, own: Sequence[Path]) -> bool:
    """Whether a copy in `folder` would be written over the archive, or lie in the midst of it."""
    copy = folder.resolve()
    places = (copy / DATABASE, copy / SOUND)
    return any(
        place == mine or place in mine.parents or mine in place.parents
        for mine in (path.resolve() for path in own)
        for place in places
    )


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def _drop(folder: Path, names: set[str]) -> None:
    """What was erased is not kept here either."""
    for file in folder.rglob("*") if folder.is_dir() else ():
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in names and is_ours(name.removesuffix(_PART)):
            file.unlink()
