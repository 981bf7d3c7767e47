"""The jobs worker: `antiphon worker jobs`, until SIGTERM.

Three things go on in it, each by itself: it looks every second for what has ended and what is to follow; every minute, under a
lease, for all that is due; and it serves the queues, one for each kind of work, so that none waits for another's. Whatever is
away (the log, the jobs' Redis, the archive), it goes on when that is back.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import Any

from arq.worker import Function, func
from redis.exceptions import RedisError

from ops.jobs.archiving import Archiving
from ops.jobs.asked import AskedJobs
from ops.jobs.doing import Doing
from ops.jobs.figures import JobFigures
from ops.jobs.following import HELD, KINDS, Following
from ops.jobs.hints import serve, worker
from ops.jobs.integrity import verify
from ops.jobs.letting_go import LettingGo
from schemas.archive.place import belongs_to, place_of
from schemas.archive.store import Archive, FollowKind, Standing
from schemas.background.hints import QUEUE, Hints, jobs_url
from schemas.bus import Bus
from schemas.clock import Micros
from schemas.config.beginning import begin
from schemas.config.settings import Settings, without_password
from schemas.errors import ArchiveError, ArchiveTooNew, BusError, BusUnavailable
from schemas.log import connect, until_it_answers
from schemas.process.backoff import LASTS, Backoff
from schemas.process.health import Health
from schemas.process.tasks import Tasks

__all__ = ["JobsWorker", "run_jobs"]

log = logging.getLogger("antiphon.jobs")

_LOOK, _SWEEP = 1.0, 60.0
"""Seconds between two looks at what has ended, and at all that is due."""
_ARCHIVING = 900
"""Seconds a session may take: one of hours takes a minute."""
_CHECKING = 600.0
"""Seconds of a night that are spent on reading back."""
_OVERDUE = 5.0
"""Seconds that something is due, and is in a worker's hands that has not begun: it never will."""
_AT_ONCE: dict[FollowKind, int] = {"webhook": 8, "summary": 1, "recording": 1, "result": 1, "memory": 1}
_WEEK, _DAY, _HOUR = 604_800.0, 86_400.0, 3_600.0


class JobsWorker:
    """Over a started log and an archive that is up to date. `name`: of this one, among others."""

    def __init__(self, bus: Bus, archive: Archive, settings: Settings, *, name: str = "", at_once: int = 2) -> None:
        self.name = name or f"jobs-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.figures = JobFigures()
        self.following = Following(bus, archive, settings, self.figures)
        self.archiving = Archiving(
            bus,
            archive,
            self.name,
            sound=settings.archive_sound,
            figures=self.figures,
            follows=self.following.follows,
        )
        self.letting_go = LettingGo(bus, archive, settings, self.figures)
        self.hints = Hints(jobs_url(settings))
        doing = Doing.over(bus, archive, settings, self.letting_go, self.following.follows)
        self.asked = AskedJobs(doing, settings, name=self.name)
        self.serving = False
        self._archive, self._at_once = archive, at_once
        self._tasks = Tasks()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            for name, work, pause in (("looking", self.look, _LOOK), ("sweeping", self.sweep, _SWEEP)):
                self._tasks.spawn(_again(work, pause), name)
            self._tasks.spawn(self.asked.run(), "asked")
            await self._serve()
        finally:
            await self._tasks.aclose()
            await self.following.aclose()
            await self.hints.aclose()

    # ── what is due ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def look(self) -> None:
        """BusError, ArchiveError."""
        for standing in await self.archiving.notice():
            await self._hint(standing)
        for kind in KINDS:
            for one in await self._archive.follow_ups_due(kind):
                overdue, queue = await self._is_overdue(max(one.due_at, one.held_until)), f"{QUEUE}:{kind}"
                await self.hints.give("follow", one.id, one.attempts, within=_HOUR, queue=queue, overdue=overdue)

    async def sweep(self) -> None:
        """BusError, ArchiveError."""
        if not await self._archive.lease("sweep", self.name, _SWEEP * 1.5):
            return
        due = await self.archiving.sweep()
        for standing in due:
            if standing.state != "deleting":
                await self._hint(standing)
        await self.letting_go.finish([one.session for one in due if one.state == "deleting"])
        for job, every in (("retain", _HOUR), ("check", _DAY)):
            if await self._archive.lease(job, f"{self.name}/{secrets.token_hex(4)}", every):
                await self.hints.give(job, "all", secrets.token_hex(4), within=_HOUR)
        self.figures.told(await self._archive.amount(), await self._archive.now())
        self.figures.told_follow_ups(await self._archive.follow_up_counts())

    async def _hint(self, standing: Standing) -> None:
        mark, overdue = f"{standing.state}{standing.attempts}", await self._is_overdue(standing.due_at)
        await self.hints.give("archive", standing.session, mark, within=_HOUR, overdue=overdue)

    async def _is_overdue(self, due_at: Micros) -> bool:
        """A worker that takes it up says so within milliseconds, and it is no longer due."""
        return await self._archive.now() - due_at > _OVERDUE * 1e6

    # ── the queue ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self) -> None:
        pauses, told = Backoff(0.25, 5.0), ""
        while True:
            try:
                pool = await self.hints.open()
                context = {"jobs": self}
                serving = [worker(pool, self._functions(), context, self._at_once)]
                serving += [
                    worker(pool, [_following(kind)], context, _AT_ONCE[kind], queue=f"{QUEUE}:{kind}") for kind in KINDS
                ]
                self.serving, told = True, ""
                pauses.reset()
                try:
                    await serve(serving)
                finally:
                    self.serving = False
            except (BusUnavailable, RedisError, OSError, TimeoutError) as error:
                if told != (told := str(error)):
                    log.warning("jobs wait: %s", error)
                await asyncio.sleep(next(pauses))

    def _functions(self) -> list[Function]:
        return [
            func(_archive, name="archive", timeout=_ARCHIVING, keep_result=0, max_tries=3),
            func(_retain, name="retain", timeout=_ARCHIVING, keep_result=0, max_tries=3),
            func(_check, name="check", timeout=_CHECKING * 1.5, keep_result=0, max_tries=3),
        ]

    async def check(self) -> None:
        """What was not read back for a week."""
        await verify(self._archive, within=_CHECKING, older=_WEEK)


def _following(kind: FollowKind) -> Function:
    return func(_follow, name="follow", timeout=HELD[kind] * 0.9, keep_result=0, max_tries=3)


async def _follow(ctx: dict[Any, Any], *args: Any, **_: Any) -> None:
    """`args`: the follow-up's id."""
    jobs: JobsWorker = ctx["jobs"]
    await _told(lambda: jobs.following.follow(*args))


async def _archive(ctx: dict[Any, Any], *args: Any, **_: Any) -> str | None:
    """`args`: the session."""
    jobs: JobsWorker = ctx["jobs"]
    return await jobs.archiving.archive(*args)


async def _retain(ctx: dict[Any, Any], *args: Any, **_: Any) -> None:
    jobs: JobsWorker = ctx["jobs"]
    await _told(jobs.letting_go.retain)


async def _check(ctx: dict[Any, Any], *args: Any, **_: Any) -> None:
    jobs: JobsWorker = ctx["jobs"]
    await _told(jobs.check)


async def _told(work: Callable[[], Awaitable[Any]]) -> None:
    try:
        await work()
    except (BusError, ArchiveError) as error:  # it comes again with its lease
        log.warning("%s", error)


async def _again(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """At once, and then again and again; while something is away, that is said once."""
    told = ""
    while True:
        try:
            await work()
            told = ""
        except (BusError, ArchiveError) as error:
            if told != (told := str(error)):
                log.warning("%s", error)
        except Exception:  # of one session, perhaps: the others are not to wait for it
            log.exception("looking for what is due failed")
        await asyncio.sleep(pause)


async def run_jobs(settings: Settings, *, bus: Bus | None = None) -> None:
    """Serve until SIGTERM or SIGINT. SettingsError, ArchiveTooNew: this process can't work, and why."""
    begin(settings, f"jobs-{socket.gethostname()}-{os.getpid()}")
    for library in ("arq", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    place = place_of(settings)
    archive = Archive(place.url, place.blobs)
    bus = bus or connect(settings)
    jobs = JobsWorker(bus, archive, settings)
    waits = ["the log and the archive have not answered yet"]
    health = Health(
        settings.health_host,
        settings.health_port,
        jobs.figures.text,
        lambda: waits or ([] if jobs.serving else ["the Redis of background jobs does not answer"]),
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sent, stop.set)
    await health.start()
    log.info("health page on http://%s:%d", health.host, health.port)

    async def work() -> None:
        await _started(bus, archive, waits)
        belongs_to(place, settings.redis_url)
        waits.clear()
        log.info("ready; sessions are archived in %s", _shown(place.url, place.blobs))
        await jobs.run()

    working, stopped = asyncio.ensure_future(work()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for sent in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sent)
        for task in (working, stopped):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await health.aclose()
        await archive.aclose()
        await bus.aclose()


async def _started(bus: Bus, archive: Archive, waits: list[str]) -> None:
    """The log and the archive, once both answer; its tables are brought up to date. ArchiveTooNew."""

    async def told(why: str, lasts: bool) -> None:
        log.log(logging.WARNING if lasts else logging.INFO, "%s; trying again", why)
        waits[:] = [why]

    await until_it_answers(bus.start, told, repeat(0.25))
    pauses, began, said = Backoff(0.25, 5.0), asyncio.get_running_loop().time(), ""
    while True:
        try:
            before = await archive.upgrade()
        except ArchiveTooNew:
            raise
        except ArchiveError as error:
            lasts = asyncio.get_running_loop().time() - began >= LASTS
            if said != (said := f"{error}{lasts}"):
                await told(str(error), lasts)
            await asyncio.sleep(next(pauses))
        else:
            log.info("the archive's tables were at %s", before or "nothing: they are made")
            return


def _shown(url: str, blobs: str) -> str:
    return f"{without_password(url)} and {without_password(blobs)}"
