"""What an operator asked for is done: taken under a lease, its progress told, its end recorded, whatever it was."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from itertools import count
from typing import Any

from arq.worker import Function, func
from redis.exceptions import RedisError

from ops.jobs.doing import Doing, Progress
from ops.jobs.hints import serve, worker
from schemas.archive.place import place_of
from schemas.background.asked import ASKED, LEASE, Asked, AskedFor, Kind, Stopped
from schemas.background.hints import Hints, jobs_url
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, ArchiveError, ArchiveLocked, ArchiveUnavailable, BusError, BusUnavailable
from schemas.process.backoff import Backoff
from schemas.process.tasks import Tasks

__all__ = ["AskedJobs"]

log = logging.getLogger("antiphon.jobs")

Work = Callable[[Doing, dict[str, Any], Progress], Awaitable[dict[str, Any]]]
WORK: Mapping[Kind, tuple[str, str]] = {
    "fork": ("ops.jobs.asked_fork", "fork"),
    "batch": ("ops.jobs.asked_batch", "asked_batch"),
    "import": ("ops.jobs.asked_import", "take_in"),
    "removal": ("ops.jobs.asked_removal", "remove"),
    "erasure": ("ops.jobs.asked_removal", "erase"),
}
"""What is asked for → who does it: given the request, they answer the result. Loaded when it is first asked for: replaying
brings what hears and cuts sound."""

_LOOK, _PRESENT = 3.0, 5.0
"""Seconds between two looks at what is due, and between two words that we are here."""
_SWEEP = 3_600.0
_LONGEST = 12 * 3_600
"""Seconds that one may take, and for which what is away is waited for."""


class AskedJobs:
    """In a jobs worker, beside what archives. `at_once`: of them; one that replays keeps a core busy."""

    def __init__(self, doing: Doing, settings: Settings, *, name: str, at_once: int = 2) -> None:
        self._doing, self._settings, self._name, self._at_once = doing, settings, name, at_once
        self.asked = AskedFor(settings)
        self._hints = Hints(jobs_url(settings), ASKED)
        self._numbers = count(1)
        self._tasks = Tasks()

    async def run(self) -> None:
        """Until it is cancelled; while the jobs' Redis is away, it waits."""
        try:
            self._tasks.spawn(self._again(self.asked.here, _PRESENT), "here")
            self._tasks.spawn(self._again(self._look, _LOOK), "asked")
            self._tasks.spawn(self._again(self._sweep, _SWEEP), "uploads")
            await self._serve()
        finally:
            await self._tasks.aclose()
            await self._hints.aclose()
            await self.asked.aclose()

    async def _serve(self) -> None:
        pauses = Backoff(0.25, 5.0)
        while True:
            try:
                pool = await self._hints.open()
                serving = worker(pool, _functions(), {"asked": self}, self._at_once, queue=ASKED)
                pauses.reset()
                await serve([serving])
            except (BusUnavailable, RedisError, OSError, TimeoutError) as error:
                log.debug("what is asked for waits: %s", error)
                await asyncio.sleep(next(pauses))

    async def _look(self) -> None:
        """Hints are lost, and workers die."""
        for one in await self.asked.due():
            await self.asked.hint(one)

    async def _sweep(self) -> None:
        """Files that were sent, and that nobody asked to be taken in."""
        from schemas.archive.uploads import Uploads

        try:
            await (await asyncio.to_thread(Uploads, place_of(self._settings).blobs)).sweep()
        except ArchiveError as error:
            log.debug("%s", error)

    async def _again(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            try:
                await work()
            except BusError as error:
                log.debug("%s", error)
            except Exception:  # of one that was asked for, perhaps: the others are not to wait for it
                log.exception("looking for what was asked for failed")
            await asyncio.sleep(pause)

    # ── one of them ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def do(self, name: str) -> None:
        """It raises nothing but what ends the process."""
        owner = f"{self._name}/{next(self._numbers)}/{secrets.token_hex(4)}"
        try:
            one = await self.asked.take(name, owner)
        except BusError as error:
            log.warning("%s", error)
            return
        if one is None:
            return
        log.info("%s, asked for by %s: begun", one.kind, one.by, extra={"job": one.id})
        working = asyncio.ensure_future(self._work(one, owner))
        renewing = asyncio.ensure_future(self._renew(one, owner))
        ended: dict[str, Any] | BaseException | None = None
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
            working.cancel()  # no harm where it is done
            (ended,) = await asyncio.gather(working, return_exceptions=True)
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            if ended is None:  # this worker ends: another does it
                await self._hand_back(one, owner)
        if ended is not None:
            await self._end(one, owner, ended)

    async def _work(self, one: Asked, owner: str) -> dict[str, Any]:
        if one.result is not None:  # somebody had done it, and died before it was said
            return one.result

        async def tell(done: int, of: int, doing: str) -> None:
            await self.asked.tell(one.id, owner, done, of, doing)

        async def note(result: dict[str, Any]) -> None:
            await self.asked.note(one.id, owner, result)

        module, name = WORK[one.kind]
        work: Work = getattr(await asyncio.to_thread(import_module, module), name)
        return await work(self._doing, one.request, Progress(tell, one.by, note))

    async def _renew(self, one: Asked, owner: str) -> None:
        """Ends when it is to be stopped."""
        while True:
            await asyncio.sleep(LEASE / 8)
            try:
                await self.asked.renew(one.id, owner)
            except Stopped:
                return
            except BusError as error:
                log.debug("%s", error)

    async def _hand_back(self, one: Asked, owner: str) -> None:
        try:
            await self.asked.hand_back(one.id, owner)
        except BusError as error:
            log.debug("%s", error)  # its lease runs out

    async def _end(self, one: Asked, owner: str, ended: dict[str, Any] | BaseException) -> None:
        extra = {"job": one.id}
        try:
            if isinstance(ended, dict):
                log.info("%s: done", one.kind, extra=extra)
                await self.asked.end(one.id, owner, "done", ended)
            elif isinstance(ended, Stopped | asyncio.CancelledError):
                log.info("%s: stopped", one.kind, extra=extra)
                await self.asked.end(one.id, owner, "stopped", None)
            elif isinstance(ended, BusUnavailable | ArchiveUnavailable | ArchiveLocked) and _age(one) < _LONGEST:
                log.warning("%s waits: %s", one.kind, ended, extra=extra)
                await self.asked.hand_back(one.id, owner, f"waits: {ended}")
                return
            elif isinstance(ended, AntiphonError):
                log.warning("%s: %s", one.kind, ended, extra=extra)
                await self.asked.end(one.id, owner, "failed", None, str(ended))
            else:
                log.error("%s failed", one.kind, exc_info=ended, extra=extra)
                await self.asked.end(
                    one.id,
                    owner,
                    "failed",
                    None,
                    f"something went wrong on our side ({type(ended).__name__}); the jobs worker's log says what",
                )
        except BusError as error:
            log.warning("%s", error)


def _age(one: Asked) -> float:
    """Seconds since it was asked for."""
    return time.time() - one.asked_at / 1e6


def _functions() -> list[Function]:
    return [func(_do, name="asked", timeout=_LONGEST, keep_result=0, max_tries=1)]


async def _do(ctx: dict[Any, Any], *args: Any, **_: Any) -> None:
    """`args`: the id."""
    jobs: AskedJobs = ctx["asked"]
    await jobs.do(*args)
