"""What a stage is to the runtime, and what the runtime gives a stage. The runtime (`workers.runtime`) does the rest."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from schemas.bus import Counting, Delivery, Outcome, Posting, Reading, Seen, Storing
from schemas.events import Cause, Event, Stage
from schemas.jobs import Job


class StageBus(Reading, Storing, Counting, Posting, Protocol):
    """The log as a stage knows it. What it appends goes through its `Work`, but for what no job is for, what a tool asks for, and
    what one returns whose reply is void by then: these it posts."""


class Work(Protocol):
    """One taken job, in a stage's hands. The runtime renews its lease meanwhile; the stage computes and commits.

    `cancelled` is set when the job is void (barge-in), closed or lost: stop, commit nothing.
    `queued`: seconds it waited from being enqueued to being taken; `elapsed()`: seconds since it was taken;
    `remaining()`: seconds to its deadline. `seen`: the last event the stage read of this session's log, if it reads it: then
    each commit checks that the log still has it. `left`: "" while it is ours, else how it went: done, stale, … `provider`: by
    which the job is done where that is not the worker's own: for the figures. The commits fill in `by`, `cause`, `turn`,
    `generation` and `trace` of an event where the stage left them open.
    """

    delivery: Delivery
    cancelled: asyncio.Event
    queued: float
    bus: StageBus
    seen: Seen | None
    left: str
    provider: str

    @property
    def job(self) -> Job: ...

    @property
    def cause(self) -> Cause:
        """For the events this job produces."""

    def elapsed(self) -> float: ...

    def remaining(self) -> float: ...

    async def step(self, events: Sequence[Event], jobs: Sequence[Job] = ()) -> Outcome:
        """Append and go on. Steps count up by themselves, from `delivery.last_step + 1`. Retries over a broken connection
        until the answer is known; sets `cancelled` on anything but OK and DUP."""

    async def finish(self, events: Sequence[Event] = (), jobs: Sequence[Job] = ()) -> Outcome:
        """Append and end the job."""

    async def fail(self, code: str, message: str) -> Outcome:
        """Give up: `stage.failed`, a dead letter, the job ends."""


class StageHandler(Protocol):
    """A stage. One object per worker process.

    `batch`: how many jobs `run` wants at once (1: one call per job, `slots` of them at a time); with `batch` > 1 the
    runtime gathers what is there, of any sessions, and hands over up to `batch` together.
    Errors: raise `schemas.errors.Transient` to be retried in process with backoff (a batch of one), anything else fails the
    job. A batch of several that raises is run again job by job, side by side, so that one bad job spoils no other.
    Models compute in threads or processes, never on the event loop.
    """

    stage: Stage
    batch: int
    slots: int

    async def warm_up(self) -> None:
        """Load and run once; ProviderError says in one sentence what is missing. Only then is the worker ready."""

    async def run(self, works: Sequence[Work]) -> None:
        """Do all `works`, and end each by `finish` or `fail` (or leave it when `cancelled`)."""

    async def aclose(self) -> None: ...
