"""What lies in a partition of the twin: queues, inboxes, sessions, dead letters, as plain values."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.bus import Seen, Snapshot
from schemas.clock import Micros
from schemas.events import Event
from schemas.jobs import Job
from schemas.log._fences import fence_of

ENDED = 64
REQUESTS = 32
INBOX = 20_000


@dataclass
class Queued:
    """A job in a stream or parked."""

    job: Job
    deadline: Micros
    enqueued: Micros


@dataclass
class Pending:
    consumer: str
    attempt: int
    since: Micros
    """µs; long ago when handed back."""


@dataclass
class Mark:
    step: int = -1
    attempt: int = 0
    consumer: str = ""
    seq: int = 0
    at: Micros = Micros(0)


@dataclass
class Worker:
    """µs. `seen`: when it last asked for anything; `given`: when it was last given a job or kept one, 0: never."""

    seen: Micros
    given: Micros = Micros(0)


@dataclass
class Letter:
    """`queued`: the job with its time; `step`: the one it ended with."""

    time: int
    """ms, by which letters have their ids."""
    number: int
    queued: Queued
    attempt: int
    reason: str
    step: int
    at: Micros


@dataclass
class Queue:
    entries: "OrderedDict[int, Queued]" = field(default_factory=OrderedDict)
    pending: dict[int, Pending] = field(default_factory=dict)
    last: int = 0
    delivered: int = 0
    """Entries up to here were handed out once."""
    workers: dict[str, Worker] = field(default_factory=dict)

    def add(self, queued: Queued) -> None:
        self.last += 1
        self.entries[self.last] = queued

    def remove(self, entry: int) -> None:
        self.pending.pop(entry, None)
        self.entries.pop(entry, None)

    def heard(self, consumer: str, now: Micros, given: bool) -> None:
        worker = self.workers.setdefault(consumer, Worker(now))
        worker.seen, worker.given = now, now if given else worker.given

    def owned(self, entry: str, consumer: str, attempt: int) -> Pending | None:
        held = self.pending.get(_number(entry))
        return held if held and (held.consumer, held.attempt) == (consumer, attempt) else None


@dataclass
class Inbox:
    entries: deque[tuple[int, str, Event]] = field(default_factory=lambda: deque(maxlen=INBOX))
    last: int = 0


@dataclass
class StoredSession:
    name: str
    owner: str
    ticket: str
    events: list[Event] = field(default_factory=list)
    seq: int = 0
    at: Micros = Micros(0)
    generation: int = 0
    epoch: int = 1
    state: Literal["open", "closed"] = "open"
    hears: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, Job] = field(default_factory=dict)
    parked: list[Queued] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    ended: deque[str] = field(default_factory=deque)
    requests: "OrderedDict[tuple[str, str], tuple[int, Micros, int]]" = field(default_factory=OrderedDict)
    operation: tuple[int, int, int, Micros] = (0, 0, 0, Micros(0))
    """(epoch, operation, seq, at)"""
    positions: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    row: bytes | None = None
    lease_ends: Micros = Micros(0)
    listed: bool = True
    """Not so a replay that is being made."""

    def void(self, job: Job) -> bool:
        fence, value = fence_of(job)
        if not fence:
            return False
        if fence == "gen":
            return str(self.generation) != value
        return self.hears.get(fence) != value

    def rewound(self, seen: Seen | None) -> bool:
        if seen is None or seen.seq == 0:
            return False
        return seen.seq > self.seq or self.events[seen.seq - 1].at != seen.at

    def remember(self, kind: str, request: str) -> None:
        self.requests[kind, request] = (self.seq, self.at, self.epoch)
        if len(self.requests) > REQUESTS:
            self.requests.popitem(last=False)

    def forget_later(self, job: str) -> None:
        self.ended.append(job)
        if len(self.ended) > ENDED:
            self.marks.pop(self.ended.popleft(), None)


def _number(entry: str) -> int:
    return int(entry.partition("-")[0])
