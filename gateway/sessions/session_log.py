"""One session's log, as the gateway that owns it sees it: read in order, written a publication at a time, and what is awaited
from the workers that read it, too."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.sessions.house import House
from gateway.sessions.log_away import insist
from gateway.sessions.outbox import Cut, Outbox
from gateway.sessions.tail import Tail
from gateway.sessions.waiting import Waiting
from gateway.turn_taking import Beginning, Publish, Published
from schemas.bus import Outcome, Publication, Seen
from schemas.clock import Now
from schemas.events import Event
from schemas.process.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Ownership:
    """How a session came to be ours. `epoch`: our fence; `held_at`: when (our clock) the call was sent that gave it to us;
    `seen`: the last event of its log then; `begins`: what turn-taking began with; `known`: its log, none of one just opened;
    `ticket`: what its client comes back with, "" where we don't know it; `warnings`: what the client is told at the beginning;
    `draft`: its agent is tried, not saved; `caller`: who a token or a line vouches for."""

    epoch: int
    held_at: Now
    seen: Seen
    begins: Beginning
    known: Sequence[Event] = ()
    ticket: str = field(default="", repr=False)
    warnings: Sequence[str] = ()
    draft: bool = False
    caller: str = ""


class SessionLog:
    """`take`: told every event that is new, once and in order; `tasks`: of the session."""

    def __init__(self, house: House, session: str, own: Ownership, take: Callable[[Event], None], tasks: Tasks):
        self._house, self._session, self._epoch, self._tasks = house, session, own.epoch, tasks
        self.tail = Tail(self.read, take, tasks, own.known)
        self.tail.seen = own.seen
        self.waiting = Waiting()
        self._outbox = Outbox(
            house.bus,
            session,
            own.epoch,
            by=house.by,
            limit=house.queue_limit,
            clock=house.clock,
            metrics=house.metrics,
        )

    @property
    def busy(self) -> bool:
        """Whether a worker, or the log, has something to answer."""
        return self.tail.expecting or self.tail.reading or bool(self.waiting)

    async def read(self, after: int = 0) -> Sequence[Event]:
        """The events behind `after`; waits until the log answers."""
        return await insist("read", lambda: self._house.bus.read(self._session, after), self._house.metrics)

    async def fetch(self, key: str) -> bytes | None:
        """A blob; waits likewise."""
        return await insist("get_blob", lambda: self._house.bus.get_blob(key), self._house.metrics)

    def publish(self, publish: Publish, cuts: Sequence[Cut], answered: Callable[[Publish, Published], None]) -> None:
        """Write what was decided now; `answered` is told what came of it."""
        self.tail.expecting = True
        self.waiting.asked(publish.jobs)
        self._tasks.spawn(self._publish(publish, cuts, self._house.clock.now(), answered))

    async def _publish(
        self, publish: Publish, cuts: Sequence[Cut], made: Now, answered: Callable[[Publish, Published], None]
    ) -> None:
        published = await self._outbox.send(publish, cuts, made, self.tail.seen, self.tail.snapshots.due())
        self.tail.expecting = False
        if published.outcome in (Outcome.OK, Outcome.DUP):
            self.tail.snapshots.written()
        elif published.outcome is Outcome.FULL:
            self.waiting = Waiting()
        answered(publish, published)
        self.tail.go_on()

    async def close(self, last: Publication) -> None:
        """End the session with these words, if the log answers within 10 s (TimeoutError)."""
        async with asyncio.timeout(10):
            await insist("close", lambda: self._house.bus.close(self._session, self._epoch, last), self._house.metrics)
