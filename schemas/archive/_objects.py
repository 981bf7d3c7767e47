"""Where sound lies: a folder, an S3-compatible bucket, or memory, all by obstore's one interface."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.store import LocalStore, MemoryStore, S3Store

from schemas.archive._troubles import objects, of_objects
from schemas.config.settings import without_password
from schemas.errors import ArchiveDenied, SettingsError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MEMORY = "memory://"
_DELETED_AT_ONCE = 500
_PART = 5 << 20
"""Bytes of a file that are sent, or read, at a time: the least that S3 takes."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object. `age`: seconds since it was written."""

    name: str
    size: int
    age: float


class Objects:
    """Of one `place`: a folder, `s3://bucket/prefix` or `memory://`. ArchiveError; FileNotFoundError: there is no such object."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._folder: Path | None = None
        with objects(place):
            self._store = self._opened(place)

    def _opened(self, place: str) -> "ObjectStore":
        if place == MEMORY:
            return MemoryStore()
        if place.startswith("s3://"):
            return _bucket(place)
        if "://" in place and not place.startswith("file://"):
            raise SettingsError(
                f"ARCHIVE_BLOBS={without_password(place)}: expected a folder, or s3://bucket/prefix (AWS_ENDPOINT_URL: of "
                "which server)"
            )
        self._folder = Path(place.removeprefix("file://")).absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ArchiveDenied(
                f"ARCHIVE_BLOBS={place}: the folder can't be made ({error.strerror}); name another, or give us the right to it"
            ) from None
        return LocalStore(str(self._folder))

    @property
    def folder(self) -> Path | None:
        """None: it is none."""
        return self._folder

    @property
    def store(self) -> "ObjectStore":
        return self._store

    async def put(self, name: str, body: bytes) -> None:
        """Once it returns, a folder's disk has it."""
        try:
            with objects(self.place):
                await obstore.put_async(self._store, name, body)
                if self._folder is not None:
                    await asyncio.to_thread(_sync, self._folder / name)
        except FileNotFoundError as error:
            raise of_objects(error, self.place) from error

    async def get(self, name: str, begin: int = 0, length: int | None = None) -> bytes:
        """All of it, or a stretch."""
        with objects(self.place):
            if length is None:
                whole = await obstore.get_async(self._store, name)
                return bytes(await whole.bytes_async())
            if length == 0:
                return b""
            return bytes(await obstore.get_range_async(self._store, name, start=begin, length=length))

    async def put_file(self, name: str, file: Path) -> tuple[str, int]:
        """A file, of which little is in memory at a time; answers its sha256 and its size. A folder's disk has it then."""
        digest, size = await asyncio.to_thread(_digest, file)
        with objects(self.place):
            await obstore.put_async(self._store, name, file, chunk_size=_PART)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / name)
        return digest, size

    async def get_file(self, name: str, file: Path) -> str:
        """Into a file; answers its sha256."""
        digest = hashlib.sha256()
        with file.open("wb") as into:
            async for part in self._parts(name):
                digest.update(part)
                await asyncio.to_thread(into.write, part)
        return digest.hexdigest()

    async def digest(self, name: str) -> str:
        """Its sha256, as it is there now."""
        digest = hashlib.sha256()
        async for part in self._parts(name):
            digest.update(part)
        return digest.hexdigest()

    async def _parts(self, name: str) -> AsyncIterator[bytes]:
        with objects(self.place):
            found = await obstore.get_async(self._store, name)
            parts = aiter(found.stream(min_chunk_size=_PART))
        while True:
            with objects(self.place):
                part = await anext(parts, None)
            if part is None:
                return
            yield bytes(part)

    async def delete(self, names: Collection[str]) -> None:
        """What is not there is deleted, too."""
        some = list(names)
        for name in some if self._folder is not None else ():
            await self._delete([name])
        for start in range(0, 0 if self._folder is not None else len(some), _DELETED_AT_ONCE):
            await self._delete(some[start : start + _DELETED_AT_ONCE])

    async def _delete(self, names: list[str]) -> None:
        try:
            with objects(self.place):
                await obstore.delete_async(self._store, names)
        except FileNotFoundError:
            pass

    async def list(self, prefix: str = "") -> list[Found]:
        found: list[Found] = []
        now = datetime.now(UTC)
        with objects(self.place):
            async for batch in obstore.list(self._store, prefix or None):
                for one in batch:
                    age = (now - one["last_modified"]).total_seconds()
                    found.append(Found(one["path"], one["size"], age))
        return found


def _bucket(place: str) -> S3Store:
    """Credentials, region and server as AWS' own variables name them."""
    parts = urlsplit(place)
    environment = os.environ
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    options: dict[str, Any] = {
        "region": environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1",
        "retry_config": {"max_retries": 3},
    }
    for name in ("access_key_id", "secret_access_key", "session_token"):
        if value := environment.get(f"AWS_{name.upper()}"):
            options[name] = value
    if endpoint:
        options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if endpoint.startswith("http://"):
        options["client_options"] = {"allow_http": True}
    return S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **options)


def _digest(file: Path) -> tuple[str, int]:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size


def _sync(file: Path) -> None:
    """The file, and its name in its folder."""
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
