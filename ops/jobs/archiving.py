"""Sessions that have ended, or should have: found in the log, archived, tried again, given up."""

import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from ops.jobs.figures import JobFigures
from schemas.archive.archiving import Archived, archive_session
from schemas.archive.store import Archive, Follows, Standing
from schemas.bus import Forgetting, Gatekeeping, Listing, Outcome, Publication, Reading, Seen, SessionInfo, Watching
from schemas.clock import Micros
from schemas.errors import AntiphonError, ArchiveDamaged, ArchiveError, BusError
from schemas.events import SessionEnded
from schemas.session.summary import Summary

__all__ = ["ABANDONED", "Archiving", "Ending"]

log = logging.getLogger("antiphon.jobs")

ABANDONED = 300.0
"""Seconds after the end of its gateway's lease from which a session that nobody claimed counts as never ended: any gateway that
is left would have had it within a few."""
TRIES = 8
"""Of a session that can't be archived for what it is; what can pass is waited for, however long."""
_LONGEST = 600.0
"""Seconds between two tries at most."""
_MOST = 20_000
"""Closed sessions that are looked at in one sweep."""


class Ending(Reading, Listing, Watching, Forgetting, Gatekeeping, Protocol):
    """The log, as those see it who end what others began."""


class Archiving:
    """`name`: of this worker, in the log and in leases; `abandoned`: as above; `follows`: what is to be done with a session
    once it is archived."""

    def __init__(
        self,
        bus: Ending,
        archive: Archive,
        name: str,
        *,
        sound: Literal["flac", "opus"] = "flac",
        abandoned: float = ABANDONED,
        figures: JobFigures | None = None,
        follows: Callable[[Summary], Sequence[Follows]] = lambda _: (),
    ) -> None:
        self._bus, self._archive, self._name = bus, archive, name
        self._follows = follows
        self._sound, self._abandoned = sound, abandoned
        self._figures = figures or JobFigures()
        self._noticed = Micros(0)

    # ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def notice(self) -> list[Standing]:
        """Sessions that have ended since the last look; each is due from now on. Of two in one microsecond a sweep finds the
        other. BusError, ArchiveError."""
        closed = await self._bus.touched("closed", _MOST, self._noticed)
        found = await self._archive.note([one.session for one in closed])
        self._noticed = max([self._noticed, *(Micros(one.at + 1) for one in closed)])
        return _to_do(found)

    async def sweep(self) -> list[Standing]:
        """All that is to be archived or deleted now, whatever hints were lost: what the log still has though it has ended, and
        what is due in the archive. BusError, ArchiveError."""
        await self.end_abandoned()
        closed = await self._bus.touched("closed", _MOST)
        in_log = _to_do(await self._archive.note([one.session for one in closed]), also_done=True)
        now = await self._archive.now()
        known = {one.session: one for one in in_log if one.due_at <= now}
        return list((known | {one.session: one for one in await self._archive.due(_MOST)}).values())

    async def end_abandoned(self) -> list[str]:
        """Sessions whose gateway is long dead, and which no other has claimed, are closed as such. BusError."""
        ended = []
        now = await self._bus.now()
        for partition in range(self._bus.partitions):
            for session in await self._bus.expired(partition, 100):
                info = await self._bus.info(session)
                if info is None or info.state != "open" or now - info.lease_ends <= self._abandoned * 1e6:
                    continue
                if await self._end(info):
                    ended.append(session)
        return ended

    async def _end(self, info: SessionInfo) -> bool:
        """Claimed first: a gateway that comes back now finds that it is not its any more."""
        claimed = await self._bus.claim(info.session, self._name, f"abandoned-{uuid.uuid4().hex}")
        if claimed.receipt.outcome not in (Outcome.OK, Outcome.DUP):
            return False
        last = claimed.receipt
        why = SessionEnded(
            reason="gateway_lost", detail="its gateway was gone, and no other took it over", by=self._name
        )
        seen = Seen(last.seq, last.at) if last.seq else None
        receipt = await self._bus.close(info.session, claimed.epoch, Publication(1, [why], seen=seen))
        if receipt.outcome is not Outcome.OK:
            return False
        log.warning("nobody had ended it: closed", extra={"session": info.session})
        return True

    # ── archiving ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def archive(self, session: str) -> Archived | None:
        """One try; None: it failed, and is due again later, or was given up. It raises nothing but what ends the process."""
        extra = {"session": session}
        try:
            became = await archive_session(self._bus, self._archive, session, sound=self._sound, follows=self._follows)
            if became is Archived.OPEN:
                await self._archive.postpone(session, 60.0)
            elif became is Archived.GONE and await self._was_coming(session):
                log.warning("whoever brought it is gone, and so is it: cleared away; import it again", extra=extra)
            elif became is Archived.GONE:
                await self._archive.fail(None, session, "the log let go of it before it was archived", None)
                log.error("lost: the log let go of it before it was archived", extra=extra)
        except AntiphonError as error:
            await self._failed(session, error)
            return None
        except Exception as error:
            log.exception("can't be archived", extra=extra)
            await self._failed(session, ArchiveDamaged(f"{type(error).__name__}: {error}"))
            return None
        self._figures.archived.labels(became.value).inc()
        log.log(logging.INFO if became is Archived.DONE else logging.DEBUG, "archived: %s", became, extra=extra)
        return became

    async def _was_coming(self, session: str) -> bool:
        """From elsewhere, and whoever brought it was killed: what came of it goes."""
        standing = await self._archive.standing(session)
        if standing is None or standing.state != "coming":
            return False
        await self._archive.give_up(session)
        return True

    async def _failed(self, session: str, error: AntiphonError) -> None:
        """How often it was tried is the archive's to know; while that can't be written, it becomes due by itself."""
        self._figures.archived.labels("failed").inc()
        passes = isinstance(error, BusError | ArchiveError) and not isinstance(error, ArchiveDamaged)
        try:
            standing = await self._archive.standing(session)
            failures = standing.failures + 1 if standing is not None else 1
            given_up = not passes and failures >= TRIES
            pause = min(2.0 ** min(failures, 20), _LONGEST)
            await self._archive.fail(None, session, str(error), None if given_up else pause)
        except ArchiveError as worse:
            log.warning("not archived: %s; %s", error, worse, extra={"session": session})
            return
        if given_up:
            log.error(
                "given up after %d tries: %s; antiphon archive list --failed",
                failures,
                error,
                extra={"session": session},
            )
        else:
            log.warning("not archived yet, again in %.0f s: %s", pause, error, extra={"session": session})


def _to_do(standings: Sequence[Standing], *, also_done: bool = False) -> list[Standing]:
    """`also_done`: those the log may still have to be told to forget."""
    wanted = ("pending", "done") if also_done else ("pending",)
    return [one for one in standings if one.state in wanted]
