"""Files that somebody sent to be taken in, between the API that receives them and the job that reads them: beside the archive's
sound, which both can reach. In memory there is a piece of them at most."""

import asyncio
import re
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import obstore

from schemas.archive._objects import Objects
from schemas.archive._troubles import objects
from schemas.errors import AntiphonError, ArchiveFull

__all__ = ["TooLarge", "Uploads"]

_PREFIX = "uploads"
_NAME = re.compile(r"[0-9a-f]{32}")
_PIECE = 8 << 20
_DAY = 86_400.0


class TooLarge(AntiphonError):
    """More came than is taken."""


class Uploads:
    """`place`: as ARCHIVE_BLOBS names it. ArchiveError: it can't be used."""

    def __init__(self, place: str) -> None:
        self._objects = Objects(place)

    async def keep(self, chunks: AsyncIterator[bytes], most: int) -> tuple[str, int]:
        """All that comes; answers under which name, and how much. TooLarge: nothing is kept; whatever else `chunks` raises,
        neither."""
        name, size = secrets.token_hex(16), 0
        sink = await self._sink(name)
        whole = False
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise TooLarge(f"more than {most} bytes")
                await sink.write(chunk)
            await sink.close()
            whole = True
        finally:
            if not whole:
                await sink.drop()
        return name, size

    @asynccontextmanager
    async def read(self, name: str) -> AsyncIterator[Path]:
        """As a file of this machine. FileNotFoundError: there is none of that name."""
        if not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        folder = self._objects.folder
        if folder is not None:
            file = folder / _PREFIX / name
            if not file.is_file():
                raise FileNotFoundError(name)
            yield file
            return
        with tempfile.TemporaryDirectory(prefix="antiphon-upload-") as temporary:
            copy = Path(temporary) / name
            try:
                await self._objects.get_file(f"{_PREFIX}/{name}", copy)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise ArchiveFull(
                    f"{temporary}: a file that was sent can't be laid there ({error.strerror}); free some space, or name another "
                    "place (TMPDIR)"
                ) from None
            yield copy

    async def drop(self, name: str) -> None:
        if _NAME.fullmatch(name):
            await self._objects.delete([f"{_PREFIX}/{name}"])

    async def lying(self) -> int:
        """Bytes of all that came whole, and is there."""
        return sum(
            one.size for one in await self._objects.list(_PREFIX) if _NAME.fullmatch(one.name.rpartition("/")[2])
        )

    async def sweep(self, older: float = _DAY) -> int:
        """What nobody asked to be taken in for a day."""
        old = [one.name for one in await self._objects.list(_PREFIX) if one.age > older]
        await self._objects.delete(old)
        return len(old)

    async def _sink(self, name: str) -> "_File | _Object":
        if self._objects.folder is not None:
            return await asyncio.to_thread(_File, self._objects.folder / _PREFIX / name, self._objects.place)
        return _Object(self._objects, f"{_PREFIX}/{name}")


class _File:
    def __init__(self, file: Path, place: str) -> None:
        self._place, self._name = place, file
        self._part = file.with_name(f"{file.name}.part")
        with objects(place):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._out: BinaryIO = self._part.open("wb")

    async def write(self, chunk: bytes) -> None:
        with objects(self._place):
            await asyncio.to_thread(self._out.write, chunk)

    async def close(self) -> None:
        with objects(self._place):
            await asyncio.to_thread(self._out.close)
            self._part.replace(self._name)

    async def drop(self) -> None:
        with suppress(OSError):  # on a full disk it can't be closed well, and all the more has to go
            await asyncio.to_thread(self._out.close)
        self._part.unlink(missing_ok=True)


class _Object:
    def __init__(self, place: Objects, name: str) -> None:
        self._place, self._name = place, name
        self._writer = obstore.open_writer_async(place.store, name, buffer_size=_PIECE)

    async def write(self, chunk: bytes) -> None:
        with objects(self._place.place):
            await self._writer.write(chunk)

    async def close(self) -> None:
        with objects(self._place.place):
            await self._writer.close()

    async def drop(self) -> None:
        """Its parts were never put together; in memory there may be something."""
        await self._place.delete([self._name])
