"""A fork while it is made: a session of the log that is on no list, in which the pools do their jobs as in any. What became of
them is read off its log; when it is over, the log lets go of it, and takes in what was made of it."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from schemas.bus import (
    Connecting,
    Forgetting,
    Gatekeeping,
    Listing,
    Outcome,
    Overseeing,
    Publication,
    Reading,
    Storing,
    TakingIn,
)
from schemas.clock import Micros
from schemas.errors import AntiphonError, BusError
from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    SessionEnded,
    SessionStarted,
    Stage,
    StageExpired,
    StageFailed,
    TranscriptFinal,
)
from schemas.jobs import Job
from schemas.log.keys import forks_begin

__all__ = ["Bench", "BenchError", "Pools", "Taken", "fork_id"]

_LOOK = 0.01
"""Seconds between two looks at what the pools have done."""
_PATIENCE = 60.0
"""Seconds a job may wait and take: live ones come first, and a worker may have to be started anew."""
_SILENT = _PATIENCE + 10.0
"""Seconds after which whoever made one, and says nothing, is dead."""
_AWAY = 30.0
"""Seconds the log may be away."""
_QUEUE = 32
"""Jobs of a stage that wait: from so many on a replay's wait outside."""
_PAGE = 500
_LAST = 2**40
"""The number of an operation above those of whoever died of it."""


class BenchError(AntiphonError):
    """The pools can't do it."""


class Taken(BenchError):
    """Somebody makes a fork of that name just now, or has died of it a moment ago."""


class Pools(Connecting, Gatekeeping, Listing, Reading, Storing, TakingIn, Forgetting, Overseeing, Protocol):
    """A log with its workers."""


def fork_id(original: str, of: str = "") -> str:
    """A new one, by which people see what it came from; `of`: what it is, the same is called the same."""
    mark = hashlib.sha256(f"{original}\n{of}".encode()).hexdigest()[:10] if of else secrets.token_hex(3)
    return forks_begin(original) + mark


class Bench:
    """`session`: the fork's id. One loop reads its log while jobs are waited for."""

    def __init__(self, log: Pools, session: str) -> None:
        self.session = session
        self._log = log
        self._operation = 0
        self._seq = 0
        self._generation = 0
        self._done: dict[str, list[Event]] = {}
        self._given: dict[str, Micros] = {}
        """When each job was given out."""
        self._publishing = asyncio.Lock()
        self._news = asyncio.Condition()
        self._wanted = 0
        self._reader: asyncio.Task[None] | None = None
        self._broken: BaseException | None = None

    async def open(self, started: SessionStarted) -> None:
        """BenchError: there is one of that id; Taken: it is being made; BusError."""
        outcome = await self._opened(started)
        if outcome is not Outcome.OK and await self._left_behind():
            await self.leave()
            outcome = await self._opened(started)
        if outcome is not Outcome.OK:
            raise BenchError(f"{self.session}: there is such a session already; give the fork another name")
        self._reader = asyncio.create_task(self._read(), name=f"reading {self.session}")

    async def _opened(self, started: SessionStarted) -> Outcome:
        claimed = await self._log.open(self.session, f"replay-{self.session}", secrets.token_hex(8), [started])
        return claimed.receipt.outcome

    async def _left_behind(self) -> bool:
        """Whether one of that id was begun, and nobody goes on with it. Taken: somebody may."""
        info = await self._log.info(self.session)
        if info is None or info.state != "open":
            return False
        if await self._log.now() - info.last_activity < _SILENT * 1e6:
            raise Taken(f"{self.session}: it is being made just now")
        return True

    async def manned(self, stages: Iterable[Stage]) -> set[Stage]:
        """Those of `stages` that have a worker."""
        seen = {one.stage: one for one in await self._log.stages()}
        return {stage for stage in stages if seen[stage].workers}

    async def tell(self, events: Sequence[Event], jobs: Sequence[Job] = (), generation: int = 0) -> None:
        """Facts, and what is to be done after them. BusError: the log is away for too long; BenchError: it has no such session
        any more."""
        async with self._publishing:
            for first in range(0, len(events) - _PAGE, _PAGE):
                await self._publish(Publication(0, events[first : first + _PAGE]))
            rest = events[-((len(events) - 1) % _PAGE + 1) :] if events else []
            raises = generation if generation > self._generation else None
            self._generation = max(self._generation, generation)
            limits = dict.fromkeys((job.stage for job in jobs), _QUEUE)
            if rest or jobs or raises:
                await self._publish(Publication(0, rest, jobs, raises, limits))

    async def _publish(self, publication: Publication) -> None:
        self._operation += 1
        loop = asyncio.get_running_loop()
        until = loop.time() + _AWAY
        wanted = Publication(
            self._operation, publication.events, publication.jobs, publication.raises, publication.limits
        )
        while True:
            try:
                receipt = await self._log.publish(self.session, 1, wanted)
            except BusError:
                if loop.time() > until:
                    raise
                await asyncio.sleep(0.1)
                continue
            if receipt.outcome is Outcome.FULL:  # calls come first, however long
                await asyncio.sleep(0.1)
                continue
            if receipt.outcome not in (Outcome.OK, Outcome.DUP):
                raise BenchError(f"{self.session}: the log has lost this replay ({receipt.outcome}); begin it anew")
            for job in publication.jobs:
                self._given.setdefault(job.id, receipt.time)
            return

    async def done(self, job: Job) -> list[tuple[float, Event]]:
        """All that came of a job that was given out, or that a worker gave out; and how many seconds of work after. BenchError:
        nobody does it."""
        self._wanted += 1
        try:
            async with asyncio.timeout(_PATIENCE + 5.0), self._news:
                await self._news.wait_for(lambda: self._broken is not None or self._ended(job))
        except TimeoutError:
            raise BenchError(
                f"{job.id}: no {job.stage} worker has done it within {_PATIENCE:.0f} s; is one there? antiphon worker "
                f"{job.stage}"
            ) from None
        finally:
            self._wanted -= 1
        if not self._ended(job):
            assert self._broken is not None
            raise self._broken
        return self._timed(job)

    def _ended(self, job: Job) -> bool:
        return any(_ends(event) for event in self._done.get(job.id, ()))

    def _timed(self, job: Job) -> list[tuple[float, Event]]:
        """By its own times, in which no waiting is; of what another worker went on with, by the log's."""
        given, last = self._given.get(job.id, Micros(0)), 0.0
        found = []
        for event in self._done[job.id]:
            took = float(getattr(event, "took", 0.0))
            again = event.cause is not None and event.cause.attempt > 1
            if given and (again or not took):
                took = max(0.0, (event.at - given) / 1e6)
            last = max(last, took, 0.001)
            update = {"queued": 0.0} if hasattr(event, "queued") else {}
            found.append((last, event.model_copy(update=update)))
        return found

    async def _read(self) -> None:
        away = 0.0
        while True:
            if not self._wanted:
                await asyncio.sleep(_LOOK)
                continue
            try:
                events = await self._log.read(self.session, self._seq)
                away = 0.0
            except BusError as error:
                away += 0.1
                if away >= _AWAY:
                    self._broken = error
                    async with self._news:
                        self._news.notify_all()
                    return
                await asyncio.sleep(0.1)
                continue
            for event in events:
                self._seq = event.seq
                if event.cause is not None:
                    self._done.setdefault(event.cause.job, []).append(event)
            if events:
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(_LOOK)

    # ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put(self, name: str, pcm: bytes) -> str:
        """Sound of the fork's own."""
        return await self._log.put_blob(self.session, name, pcm)

    async def share(self, pcm: bytes) -> str:
        """Sound that other forks of the session have, too."""
        return await self._log.put_shared_blob(self.session, pcm)

    # ── its end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def leave(self) -> None:
        """The log lets go of it. BusError: it goes by itself, later."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        last = Publication(_LAST, [SessionEnded(reason="end_requested")])
        receipt = await self._log.close(self.session, 1, last)
        await self._log.forget(self.session, receipt.seq)

    async def keep(self, events: Sequence[Event]) -> None:
        """What was made of it, as a session that is over. BenchError, BusError."""

        async def pages() -> AsyncIterator[Sequence[Event]]:
            for first in range(0, len(events), _PAGE):
                yield events[first : first + _PAGE]

        outcome = await self._log.take_in(self.session, pages())
        if outcome is not Outcome.OK:
            raise BenchError(f"{self.session}: the log can't keep it ({outcome}); try again")


def _ends(event: Event) -> bool:
    """Whether nothing more comes of its job."""
    match event:
        case StageFailed():
            return not event.will_retry
        case ClipReady():
            return event.last
        case _:
            return isinstance(event, TranscriptFinal | ReplyFinished | StageExpired)
