"""A copy of the archive, taken while it is used: the database as of one moment, and every sound that it names."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from schemas.archive.store import Archive
from schemas.errors import ArchiveDenied, ArchiveError

__all__ = ["DATABASE", "SOUND", "BackedUp", "back_up"]

DATABASE, SOUND = "archive.sqlite", "sound"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """`fresh`: objects that an older backup in this folder did not have; `missing`: that were deleted meanwhile."""

    objects: int
    fresh: int
    missing: int


async def back_up(archive: Archive, folder: Path) -> BackedUp:
    """Into `folder`, which may hold an older one: what has not changed is not copied again. ArchiveError."""
    part = folder / f"{DATABASE}.part"
    try:
        await asyncio.to_thread(_prepare, folder, part)
        await archive.copy_database(part)
        names = await archive.objects()
        fresh = missing = 0
        for name in sorted(names):
            file = folder / SOUND / name
            if await asyncio.to_thread(file.exists):
                continue
            try:
                body = await archive.object(name)
            except FileNotFoundError:
                missing += 1
                continue
            await asyncio.to_thread(_write, file, body)
            fresh += 1
        await asyncio.to_thread(_drop, folder / SOUND, names)
        await asyncio.to_thread(part.replace, folder / DATABASE)
    except ArchiveError:
        raise
    except OSError as error:
        raise ArchiveDenied(f"{folder}: can't be written to ({error.strerror}); give another folder") from None
    return BackedUp(len(names), fresh, missing)


def _prepare(folder: Path, part: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part.unlink(missing_ok=True)


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f"{file.name}.part")
    new.write_bytes(body)
    new.replace(file)


def _drop(folder: Path, names: set[str]) -> None:
    """What was erased is not kept here either."""
    for file in folder.rglob("*") if folder.is_dir() else ():
        if file.is_file() and str(file.relative_to(folder)) not in names:
            file.unlink()
