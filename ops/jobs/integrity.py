"""Is what is kept what was written? Read back now and then, the longest ago first."""

import logging
import time
from dataclasses import dataclass

from schemas.archive.store import Archive, Standing
from schemas.errors import ArchiveDamaged, ArchiveError

__all__ = ["Verified", "verify", "verify_one"]

log = logging.getLogger("antiphon.jobs")

_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """`damaged`: why, by session; `strays`: objects that nobody named, which were deleted."""

    sessions: int
    damaged: dict[str, str]
    strays: int


async def verify_one(archive: Archive, standing: Standing) -> str:
    """What is wrong with it, in a sentence; "": nothing is. ArchiveError: it can't be told."""
    try:
        await archive.read_back(standing.session, standing.seq, standing.hash)
        if (recording := await archive.recording(standing.session)) is not None:
            await archive.read_recording_back(recording)
    except ArchiveDamaged as error:
        wrong = str(error)
    else:
        wrong = ""
    await archive.verified(standing.session, wrong)
    return wrong


async def verify(archive: Archive, *, within: float, older: float = 0.0) -> Verified:
    """For `within` seconds: what was not read back for `older` seconds; then what tries that were killed have left."""
    end, checked, damaged = time.monotonic() + within, 0, dict[str, str]()
    began = int(await archive.now() - older * 1e6)
    while time.monotonic() < end and (some := await archive.unverified(began, _AT_ONCE)):
        for standing in some:
            wrong = await verify_one(archive, standing)
            checked += 1
            if wrong:
                log.error("damaged: %s", wrong, extra={"session": standing.session})
                damaged[standing.session] = wrong
            if time.monotonic() >= end:
                break
    strays = 0
    try:
        await archive.analyze()
        found = await archive.strays()
        await archive.delete_objects([one.name for one in found])
        strays = len(found)
    except ArchiveError as error:
        log.warning("strays can't be looked for: %s", error)
    log.info("read back %d sessions, %d damaged; %d strays deleted", checked, len(damaged), strays)
    return Verified(checked, damaged, strays)
