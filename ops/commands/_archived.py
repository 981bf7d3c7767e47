"""What the commands of the archive work on: the archive of this machine, and the log beside it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from ops import console

if TYPE_CHECKING:
    from schemas.archive import Archive
    from schemas.bus import Bus
    from schemas.config.settings import Settings

T = TypeVar("T")


def over_archive(work: "Callable[[Archive], Awaitable[T]]", *, checked: bool = True) -> T:
    async def main() -> T:
        from ops.stack.here import settings_here

        async with _archive(settings_here(), checked=checked) as archive:
            return await work(archive)

    return console.run(main)


def over_both(work: "Callable[[Bus, Archive, Settings], Awaitable[T]]") -> T:
    """Over the log, too, and an archive that is made where there is none."""

    async def main() -> T:
        from ops.stack.here import settings_here
        from schemas.log import connected

        settings = settings_here()
        async with connected(settings) as bus, _archive(settings, upgrade=True) as archive:
            return await work(bus, archive, settings)

    return console.run(main)


@asynccontextmanager
async def _archive(settings: "Settings", *, checked: bool = True, upgrade: bool = False) -> "AsyncIterator[Archive]":
    from schemas.archive.place import place_of
    from schemas.archive.store import Archive

    place = place_of(settings)
    archive = Archive(place.url, place.blobs)
    try:
        if upgrade:
            await archive.upgrade()
        elif checked:
            await archive.check()
        yield archive
    finally:
        await archive.aclose()
