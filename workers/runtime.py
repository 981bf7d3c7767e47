"""The one runtime of all stages: take jobs for free slots, run them, keep their leases, retry, drain.

    worker = Worker(bus, handler, WorkerOptions(drain=5))
    await worker.run()        # until worker.stop(), then drains

The handler computes and commits; everything that can go wrong around it is decided here.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.bus import Connecting, Delivery
from schemas.clock import Clock, Micros
from schemas.config.lease import Lease
from schemas.errors import AntiphonError, BusError, BusUnavailable, Permanent, ProviderError, Transient
from schemas.log import until_it_answers
from schemas.process.backoff import A_POOL, LASTS, Backoff
from schemas.process.clock import MonotonicClock
from schemas.process.logging import SESSION
from schemas.process.tasks import Tasks
from workers._metrics import WorkerMetrics
from workers._obstacles import Obstacles
from workers._stage import StageHandler
from workers._work import JobBus, TakenJob

__all__ = ["Worker", "WorkerOptions", "consumer_id"]

log = logging.getLogger("antiphon.worker")


_WARM_UP_PAUSE = 30.0
"""Seconds that an endpoint is left alone for while warming up, however long it asks for."""


def consumer_id() -> str:
    """A name no other process has, nor had: a consumer that comes back under its old name would own what it lost."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Seconds, unless the name says otherwise."""

    max_deliveries: int = 4
    """A job delivered more often is a dead letter: every worker that took it died."""
    drain: float = 20.0
    """How long `run` may go on after `stop`; what isn't done then is handed back."""
    poll: float = 0.25
    """Jobs are looked for at least so often, and when the log expects a lease to run out: that wakes nobody who waits."""
    patience: float = 5.0
    """How long errors that can pass are retried, within the job's deadline."""
    grace: float = 1.0
    """How long a handler may take to notice that all its jobs are void, before it is cancelled."""
    partitions: Sequence[int] | None = None
    """The partitions to serve; None for all."""
    consumer: str = field(default_factory=consumer_id)
    warming: str = ""
    """What is warmed up, by the settings that name it: said while nothing better is known."""
    warm_up_within: float | None = None
    """How long one try may take: an endpoint may send for ever. None where a model is loaded, which takes its time."""
    awaited: str = ""
    """What is expected of an endpoint meanwhile, and within which time."""


class WorkerBus(Connecting, JobBus, Protocol):
    """The log as a worker knows it: it opens no sessions, and owns none."""


class Worker:
    """Serves one stage. `metrics` and `obstacles` are for the health page."""

    def __init__(
        self,
        bus: WorkerBus,
        handler: StageHandler,
        options: WorkerOptions | None = None,
        *,
        clock: Clock | None = None,
        metrics: WorkerMetrics | None = None,
    ):
        self.bus = bus
        self.handler = handler
        self.options = options or WorkerOptions()
        self.metrics = metrics or WorkerMetrics(handler.stage)
        self._clock = clock or MonotonicClock()
        self._consumer = self.options.consumer
        self._stage = handler.stage
        self._works: list[TakenJob] = []
        self._runs: set[asyncio.Task[None]] = set()
        self._expiring = Tasks()
        self._partitions: list[int] = []
        self._last_ids: dict[int, str] = {}
        warming = ": ".join(filter(None, (f"warming up {self.options.warming}".strip(), self.options.awaited)))
        self._obstacles = Obstacles(self._stage, {"warm-up": warming, "log": "connecting to the log"})
        self._stopping = asyncio.Event()
        self._aborting = asyncio.Event()
        self._changed = asyncio.Event()  # a slot came free, or stop
        self._found_back = asyncio.Event()  # the log, after it was away

    def obstacles(self) -> list[str]:
        """What keeps this worker from taking jobs; empty: it is ready."""
        return self._obstacles.told()

    def starting(self) -> bool:
        """Whether it isn't ready only because getting ready takes its time: nothing has failed yet."""
        return self._obstacles.only_expected()

    def stop(self) -> None:
        """Take nothing more, finish what is in hand. A second call hands back what isn't done, at once."""
        if self._stopping.is_set():
            self._aborting.set()
        self._obstacles.expect("stop", "draining")
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Warm up, serve until `stop`, drain. ProviderError or BusError: this worker can never work, and why."""
        if not await self._or_stop(self._prepare()):
            return
        self.metrics.ready(True)
        log.info("ready", extra={"stage": self._stage, "consumer": self._consumer, "slots": self._capacity})
        renewing = asyncio.create_task(self._renew_leases(), name="renew leases")
        fetching = asyncio.create_task(self._fetch(), name="fetch jobs")
        try:
            await asyncio.wait({renewing, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                renewing.result()  # raises: without renewal nothing may go on
            await fetching
            self.metrics.ready(False)
            await self._drain()
        finally:
            for task in (fetching, renewing, *self._runs):
                task.cancel()
            await asyncio.gather(fetching, renewing, *self._runs, return_exceptions=True)
            await self._expiring.aclose()

    # ── getting ready ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _prepare(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._warm_up())
            both.create_task(self._connect())

    async def _warm_up(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()

        def trouble(why: str) -> None:
            self._obstacles.trouble("warm-up", why, lasts=clock() - began >= LASTS)

        for delay in Backoff(0.2, 2.0, A_POOL):
            try:
                async with asyncio.timeout(self.options.warm_up_within):
                    await self.handler.warm_up()
                break
            except Transient as error:
                trouble(str(error))
                delay = max(delay, min(error.retry_after or 0.0, _WARM_UP_PAUSE))
            except TimeoutError:
                limit = self.options.warm_up_within
                said = f" within {limit:g} s" if limit else ""
                trouble(f"{self.options.warming or self._stage}: no whole answer{said}")
            except OSError as error:
                trouble(self._unforeseen(error))
            except AntiphonError:
                raise
            except Exception as error:
                log.debug("warming up failed", exc_info=error)
                raise Permanent(self._unforeseen(error), "provider_broken") from error
            await asyncio.sleep(delay)
        self._obstacles.over("warm-up")

    def _unforeseen(self, error: Exception) -> str:
        """A provider's error that is none of ours, as a sentence."""
        said = " ".join(str(error).split())[:200]
        return (
            f"{self.options.warming or self._stage} can't be warmed up: {type(error).__name__}{said and f' ({said})'}"
        )

    async def _connect(self) -> None:
        async def told(why: str, lasts: bool) -> None:
            self._obstacles.trouble("log", why, lasts)

        await until_it_answers(self.bus.start, told, Backoff(0.1, 1.0, A_POOL))
        self._partitions = list(self.options.partitions or range(self.bus.partitions))
        self._last_ids = dict.fromkeys(self._partitions, "0-0")
        self._obstacles.over("log")

    async def _or_stop(self, work: Coroutine[None, None, None]) -> bool:
        """Whether `work` was done before `stop` was called. The first error of a group is raised as itself."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                return False
            doing.result()
            return True
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for task in (doing, stopping):
                task.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)

    # ── taking jobs ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _capacity(self) -> int:
        return self.handler.slots * self.handler.batch

    async def _fetch(self) -> None:
        """Take for free slots only: a job fetched beyond them would age here, while another worker is idle.

        A batch is what waits when a slot comes free. Nothing is gained by waiting for more: `take` empties every
        partition first, and while a batch computes, the next one gathers in the log. So a lone job is never delayed.
        """
        delays = Backoff(0.05, 0.5, A_POOL)
        due = 0.0  # when to look for leases that ran out; also whenever the log may have more than was handed over
        while not self._stopping.is_set():
            room = (self.handler.slots - len(self._runs)) * self.handler.batch
            try:
                if room <= 0:
                    self._changed.clear()
                    await self._changed.wait()
                    due = 0.0
                elif (now := self._clock.now()) >= due:
                    again = await self._take(room)
                    due = self._clock.now() + again
                else:
                    begun = await self._wait(room, due - now)
                    if begun == 0 or begun >= room:
                        due = 0.0
            except BusError as error:
                self._away("take", error)
                await asyncio.sleep(next(delays))
            else:
                delays.reset()

    async def _take(self, room: int) -> float:
        """Start what is there, up to `room` jobs. Seconds after which to look again; 0: the log may have more now."""
        works: list[TakenJob] = []
        again = self.options.poll
        try:
            for partition in self._partitions:
                taken = await self.bus.take(
                    self._stage, partition, self._consumer, room - len(works), reclaim=self._may_reclaim()
                )
                self._back()
                self._last_ids[partition] = taken.last_id
                again = min(again, taken.again)
                works += (self._taken(delivery, taken.time) for delivery in taken.deliveries)
                if len(works) >= room:
                    break
        finally:
            self._partitions.append(self._partitions.pop(0))  # the next call begins elsewhere
            self._start_all(works)
        return again if len(works) < room else 0.0

    async def _wait(self, room: int, seconds: float) -> int:
        """Start jobs as they come, up to `room`. How many did; none: the time is over, or the log has some to take."""
        handed = await self.bus.wait(self._stage, self._consumer, self._last_ids, room, seconds)
        self._start_all([self._taken(delivery, handed.time) for delivery in handed.deliveries])
        return len(handed.deliveries)

    def _start_all(self, works: list[TakenJob]) -> None:
        size = self.handler.batch
        for start in range(0, len(works), size):
            self._start(works[start : start + size])

    def _taken(self, delivery: Delivery, time: Micros) -> TakenJob:
        work = TakenJob(self.bus, self._consumer, delivery, time, self._clock, self.metrics)
        self.metrics.taken(work.queued)
        self._works.append(work)
        return work

    def _start(self, works: list[TakenJob]) -> None:
        run = asyncio.create_task(self._serve(works), name=f"run {works[0].job.id}")
        self._runs.add(run)
        self.metrics.batched(len(works))
        self.metrics.holds(len(self._works), self._capacity)
        run.add_done_callback(lambda _: self._ended(run, works))

    def _ended(self, run: asyncio.Task[None], works: list[TakenJob]) -> None:
        self._runs.discard(run)
        self._works = [work for work in self._works if work not in works]
        self.metrics.holds(len(self._works), self._capacity)
        self._changed.set()
        if not run.cancelled() and (error := run.exception()):
            log.error("job dropped; its lease runs out and it is taken again", exc_info=error)

    def _may_reclaim(self) -> bool:
        """Not with the call that finds the log back: the owners renew first. (How much longer, the log knows.)"""
        return "log" not in self._obstacles

    def _away(self, call: str, error: BusError) -> None:
        self.metrics.log_failed(call)
        self._obstacles.trouble("log", str(error))

    def _back(self) -> None:
        if "log" in self._obstacles:
            self._obstacles.over("log")
            self._found_back.set()
            log.info("the log is back", extra={"stage": self._stage})

    # ── running jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, works: list[TakenJob]) -> None:
        """Run a batch; whoever stands out (too old, delivered too often, spoiling the batch) is dealt with alone."""
        if len(works) == 1:
            SESSION.set(works[0].job.session)  # of this task, and of what it begins
        fresh = [work for work in works if not await self._refused(work)]
        if not fresh:
            return
        error = await self._attempt(fresh)
        if error is not None and len(fresh) == 1:
            await self._persist(fresh[0], error)
        elif error is not None:
            await asyncio.gather(*(self._alone(work) for work in fresh if not work.left))
        for work in fresh:
            if not work.left and not work.cancelled.is_set():
                await work.fail("unfinished", f"the {self._stage} handler left {work.job.id} without an end")

    async def _refused(self, work: TakenJob) -> bool:
        attempt = work.delivery.attempt
        if attempt > self.options.max_deliveries:
            await work.fail(
                "deliveries",
                f"{work.job.id} was given to {attempt - 1} workers and none finished it; "
                "see their logs, or raise MAX_DELIVERIES",
            )
        elif work.remaining() <= 0:
            await work.expire(f"waited {work.queued:.1f} s for a free {self._stage} worker; start more of them")
        return bool(work.left)

    async def _attempt(self, works: Sequence[TakenJob]) -> Exception | None:
        """Run the handler, not much longer than its jobs are ours. What it raised, None when it came through."""
        run = asyncio.ensure_future(self.handler.run(works))
        void = asyncio.ensure_future(self._until_void(works))
        try:
            await asyncio.wait({run, void}, return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                run.result()
            return None
        except Exception as error:
            return error
        finally:
            for task in (run, void):
                task.cancel()
            await asyncio.gather(run, void, return_exceptions=True)

    async def _until_void(self, works: Sequence[TakenJob]) -> None:
        for work in works:
            await work.cancelled.wait()
        await asyncio.sleep(self.options.grace)

    async def _alone(self, work: TakenJob) -> None:
        """One job of a batch that failed: which of them is to blame shows when each is run by itself."""
        SESSION.set(work.job.session)  # of this task
        error = await self._attempt([work])
        if error is not None:
            await self._persist(work, error)

    async def _persist(self, work: TakenJob, error: Exception | None) -> None:
        """Try again until it is done, or the error won't pass, or patience or the deadline runs out."""
        since = self._clock.now()
        delays = Backoff(0.1, 2.0, A_POOL)
        seen: Counter[str] = Counter()
        while error is not None and not work.left and not work.cancelled.is_set():
            asked = error.retry_after if isinstance(error, Transient) else None
            delay = max(next(delays), asked or 0.0)
            patient = bool(asked) or self._clock.now() - since + delay <= self.options.patience
            passing = isinstance(error, BusUnavailable) or (isinstance(error, Transient) and patient)
            if not passing or delay >= work.remaining() or work.is_hint:
                await self._give_up(work, error, seen)
                return
            code, message = _explain(error)
            seen[message] += 1
            if seen[message] == 1:
                log.info("trying again: %s", message, extra={"code": code} | _of(work))
            self.metrics.retried(code)
            if not isinstance(error, BusError):
                await work.will_retry(code, message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await work.cancelled.wait()
            error = None if work.cancelled.is_set() else await self._attempt([work])
        if error is None and work.left == "done" and seen:
            errors = "1 error" if seen.total() == 1 else f"{seen.total()} errors"
            log.info("went through after %s", errors, extra=_of(work))

    async def _give_up(self, work: TakenJob, error: Exception, seen: Mapping[str, int]) -> None:
        """`seen`: errors that it was tried again after, and how often."""
        code, message = _explain(error)
        times = seen.get(message, 0) + 1
        unforeseen = not isinstance(error, AntiphonError)
        log.warning(
            "job failed: %s%s",
            message,
            f" ×{times}" if times > 1 else "",
            exc_info=error if unforeseen else None,
            extra={"code": code} | _of(work),
        )
        await work.fail(code, message)

    # ── keeping jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _renew_leases(self) -> None:
        """Runs for as long as anything is in hand, draining included. A lapsed lease is still ours until somebody takes
        the job: after an outage the first renewal that gets through keeps it."""
        lease = Lease(self.bus.lease)
        period = lease.renewed_every
        due = self._clock.now() + period
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - self._clock.now())):
                    await self._found_back.wait()
            self._found_back.clear()
            late = max(0.0, self._clock.now() - due)
            self.metrics.lagged(late)
            if late > lease.seconds:
                log.warning("this process stood still for %.1f s: leases ran out", late)
            due = self._clock.now() + period
            self._expire_overdue()
            ours = [work for work in self._works if not work.left]
            if not ours:
                continue
            try:
                outcomes = await self.bus.renew(self._stage, self._consumer, [work.delivery for work in ours])
            except BusError as error:
                self._away("renew", error)
                due = self._clock.now() + lease.found_back_within
                continue
            self._back()
            for work, outcome in zip(ours, outcomes, strict=True):
                work.renewed(outcome)

    def _expire_overdue(self) -> None:
        for work in self._works:
            if not work.left and not work.cancelled.is_set() and work.remaining() <= 0:
                self._expiring.spawn(work.expire(f"not done {work.elapsed():.1f} s after it was taken"))

    # ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _drain(self) -> None:
        """Finish what is in hand or hand it back, then leave the group without a trace."""
        log.info("draining", extra={"stage": self._stage, "jobs": len(self._works)})
        aborting = asyncio.ensure_future(self._aborting.wait())
        try:
            if self._runs:
                finishing = asyncio.ensure_future(asyncio.wait(self._runs))
                await asyncio.wait(
                    {finishing, aborting}, timeout=self.options.drain, return_when=asyncio.FIRST_COMPLETED
                )
                finishing.cancel()
        finally:
            aborting.cancel()
        left = list(self._works)
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        try:
            async with asyncio.timeout(2.0):
                for work in left:
                    await work.release()
                for partition in self._partitions:
                    await self.bus.retire(self._stage, partition, self._consumer)
        except (BusError, TimeoutError):
            log.warning("the log is away: what was in hand is taken over when its lease runs out")
        log.info("drained", extra={"stage": self._stage, "released": sum(work.left == "released" for work in left)})


def _of(work: TakenJob) -> dict[str, str]:
    """Whose a line of the log is."""
    return {"job": work.job.id, "session": work.job.session}


def _explain(error: Exception) -> tuple[str, str]:
    """Code and sentence of an error, for `stage.failed`."""
    if isinstance(error, ProviderError):
        return error.code, str(error)
    if isinstance(error, AntiphonError):
        return "log", str(error)
    return "error", f"{type(error).__name__}: {error}"
