"""The log as everyone sees it: a Protocol for each role one may play, their sum `Bus`, outcomes and receipts.

Two implementations keep one promise and pass one suite: `schemas.log.RedisBus` and `schemas.log.MemoryBus`.
Outcomes are normal answers, never exceptions; exceptions are `BusError`s, and mean that nothing is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from schemas.clock import Micros
from schemas.stages import Stage, TransportName

if TYPE_CHECKING:  # who only looks waits for none of their classes to be made
    from schemas.access.allowance import Allowance
    from schemas.access.audit import Deed
    from schemas.access.keys import ApiKey
    from schemas.events import Event
    from schemas.jobs import Job
    from schemas.languages import Announced

Ending = Literal["step", "final", "dead"]
DRAFTS = 100
"""Drafts of agents that are kept at once."""
FORK = "fork-"
"""What the ids of replays begin with. One that is opened is a bench: its jobs are done as any, but it is on no list, nobody
claims it, and it goes by itself; what is taken in of it is a session that is over, as any. `antiphon.lua` has it, too."""


class Outcome(StrEnum):
    OK = "OK"
    DUP = "DUP"
    """Done before by the same caller with the same mark: the first answer is given again."""
    LOST = "LOST"
    """Somebody else owns the job (or, for a gateway, the session) now."""
    STALE = "STALE"
    """The fence has moved on: nothing was appended; a job is acknowledged."""
    CLOSED = "CLOSED"
    FULL = "FULL"
    """A queue is at its limit: nothing was written, the operation number stays free."""
    REWOUND = "REWOUND"
    """The event the caller saw last is not there, or differs: the log lost its tail."""
    EXISTS = "EXISTS"
    """`open` of an id that exists already."""
    MISSING = "MISSING"
    """No such session."""
    HELD = "HELD"
    """`claim` of a session whose owner is alive, without its ticket."""
    DENIED = "DENIED"
    """`claim` with a ticket that is not the session's."""
    EMPTY = "EMPTY"
    """`retry` of a dead letter without its job: an older version filed it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last event the caller saw: the log compares this one entry to find out whether it lost its tail."""

    seq: int
    at: Micros


@dataclass(frozen=True, slots=True)
class Receipt:
    """What every call answers. `seq`: of the session's last event; `time`: now, by the log's clock; `at`: that last event's."""

    outcome: Outcome
    seq: int
    time: Micros
    at: Micros = Micros(0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job in this consumer's hands: (consumer, `attempt`) is its fencing token.

    `entry`: id in the job stream; `last_step`: the last step committed by any attempt, -1 for none.
    """

    entry: str
    partition: int
    job: Job
    attempt: int
    enqueued: Micros
    deadline: Micros
    last_step: int


@dataclass(frozen=True, slots=True)
class Taken:
    """`last_id`: of the stream now, to wait from (`Working.wait`); `again`: seconds after which somebody's lease may have run
    out, as far as the log can tell: ask again by then."""

    deliveries: list[Delivery]
    last_id: str
    time: Micros
    again: float


@dataclass(frozen=True, slots=True)
class Handed:
    """Jobs that came while a worker waited. `time`: the log's when they were read here, which is late on a busy machine; of no
    meaning when none came."""

    deliveries: list[Delivery]
    time: Micros


@dataclass(frozen=True, slots=True)
class Claimed:
    """`epoch`: the new fence of this gateway; `positions`: as last held by the previous owner."""

    receipt: Receipt
    epoch: int = 0
    positions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """One session in a `hold` call. `positions`: playout (`{"turn": 4, "index": 1, "position": 0.64}`), small."""

    session: str
    epoch: int
    positions: Mapping[str, Any] = field(default_factory=dict)
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """`receipts`: in the order asked; `queued`: length (queued + running) of each stage's stream in that partition."""

    receipts: list[Receipt]
    queued: Mapping[Stage, int]
    time: Micros


@dataclass(frozen=True, slots=True)
class InboxEntry:
    session: str
    event: Event


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fold of the log up to `seq`, as bytes of fold version `version`."""

    seq: int
    version: int
    state: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """What a gateway appends in one atomic call.

    `operation`: counts up within an epoch, the mark for DUP; `raises`: the generation to set (must be above the present
    one); `hears`: participant → utterance is implied by the STT jobs and needs no field; `limits`: stage → queue length at
    which the call is FULL; `snapshot`: written beside.
    """

    operation: int
    events: Sequence[Event] = ()
    jobs: Sequence[Job] = ()
    raises: int | None = None
    limits: Mapping[Stage, int] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One row of the open sessions. `lease_ends` in the past: an orphan anyone may claim; `archived`: the log has it no more."""

    session: str
    partition: int
    seq: int
    state: Literal["open", "closed"]
    owner: str
    epoch: int
    generation: int
    lease_ends: Micros
    last_activity: Micros
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Touched:
    """A session, and when its last event came."""

    session: str
    at: Micros


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker of one stage, by what the log knows of it. `jobs`: in its hands; `idle`: seconds since it was last given one or
    kept one, None: never; `seen`: seconds since it last asked for anything (four times a second; four times a lease while it is
    busy)."""

    name: str
    jobs: int
    idle: float | None
    seen: float


@dataclass(frozen=True, slots=True)
class StageSeen:
    """One stage's queue, all partitions together. `queued`: jobs that wait for a worker; `running`: in a worker's hands;
    `oldest`: seconds the first of those that wait has waited, 0 where none does; `added`: jobs there ever were, so that what is
    done is `added` - `queued` - `running`. Jobs that wait for another of their own session are not in it yet."""

    stage: Stage
    queued: int
    running: int
    oldest: float
    added: int
    workers: Sequence[WorkerSeen]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up. `id`: of the letter; `job`: the job's; `attempt`: the delivery that was the last; `retryable`: the
    job is kept, too (False: an older version filed it)."""

    id: str
    session: str
    stage: Stage
    job: str
    attempt: int
    reason: str
    at: Micros
    retryable: bool


@dataclass(frozen=True, slots=True)
class Buried:
    """How many dead letters there are. `mark`: the same text means that none came and none went."""

    letters: int
    mark: str


@dataclass(frozen=True, slots=True)
class GatewaySeen:
    """A gateway, as it tells of itself. `url`: of its WebSocket, for clients; `own_url`: the same, for other processes of the
    deployment; `places`: sessions it would still take; `transports`: the kinds of room it opens sessions in; `unmanned`: it takes
    none for want of workers."""

    name: str
    url: str
    own_url: str
    places: int
    sessions: int
    draining: bool
    transports: Sequence[TransportName]
    unmanned: bool = False


class Deployment(Protocol):
    """What all who hold something in one log agree upon."""

    partitions: int
    lease: float
    """Seconds a job or session stays owned without being renewed; what follows from it stands in `schemas/config/lease`."""

    def partition(self, session: str) -> int:
        """Where the session lies, 0 to `partitions` - 1."""


class Connecting(Deployment, Protocol):
    """Whoever made the connection to the log opens and closes it."""

    async def start(self) -> None:
        """Connect, check the server's version, load the function library, agree on the number of partitions."""

    async def aclose(self) -> None: ...


class Working(Deployment, Protocol):
    """Workers: jobs are taken, kept, and done."""

    async def take(self, stage: Stage, partition: int, consumer: str, count: int, *, reclaim: bool = True) -> Taken:
        """Up to `count` jobs: those whose lease ran out first (their attempt counts up), then new ones. Void and closed
        jobs are acknowledged, never handed out. `reclaim=False`: only jobs that were handed back, and new ones. So it is, too,
        for a moment after the log was away: every lease looks expired then, and owners renew first."""

    async def wait(
        self, stage: Stage, consumer: str, last_ids: Mapping[int, str], count: int, timeout: float
    ) -> Handed:
        """After a `take` that found nothing more: return when there are jobs, or after `timeout` s. Up to `count` new ones come
        with the answer where the log can hand them over in the breath that enqueues them; an empty answer, before its time,
        is but a doorbell: a stream has entries after its last id, and `take` gets them. Cancelled, it may have been handed
        jobs that nobody knows of until their lease runs out."""

    async def renew(self, stage: Stage, consumer: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """OK, LOST, STALE or CLOSED for each: anything but OK means stop."""

    async def commit(
        self,
        stage: Stage,
        consumer: str,
        delivery: Delivery,
        step: int,
        ending: Ending,
        events: Sequence[Event] = (),
        jobs: Sequence[Job] = (),
        seen: Seen | None = None,
    ) -> Receipt:
        """Append `events` and enqueue `jobs`, if the job is still ours and its fence holds. Steps count up from 0."""

    async def release(self, stage: Stage, consumer: str, delivery: Delivery) -> Outcome:
        """Hand a job back, at once takeable, without counting this delivery."""

    async def retire(self, stage: Stage, partition: int, consumer: str) -> bool:
        """Delete a consumer that owns nothing."""


class Gatekeeping(Deployment, Protocol):
    """Gateways: sessions are opened, held, written, taken over and closed."""

    async def open(
        self,
        session: str,
        owner: str,
        request: str,
        events: Sequence[Event],
        jobs: Sequence[Job] = (),
        ticket: str = "",
    ) -> Claimed: ...

    async def publish(self, session: str, epoch: int, publication: Publication) -> Receipt: ...

    async def hold(self, owner: str, partition: int, sessions: Sequence[Hold]) -> Held: ...

    async def claim(self, session: str, owner: str, request: str, ticket: str = "") -> Claimed:
        """Take a session over: after its lease ran out, or at once with its ticket. Epoch + 1. A ticket that is given and is not
        the session's is DENIED, whatever the lease."""

    async def close(self, session: str, epoch: int, publication: Publication) -> Receipt:
        """The last publication: afterwards the session is CLOSED, its waiting jobs void."""

    async def inbox(
        self, owner: str, last_ids: Mapping[int, str], timeout: float
    ) -> tuple[list[InboxEntry], dict[int, str]]:
        """Block up to `timeout` s for entries of this gateway's inboxes (partition → last id; "$" to begin with the next).
        Answers the entries and the ids to go on from."""

    async def expired(self, partition: int, count: int) -> list[str]:
        """Sessions whose gateway's lease ran out."""


class Reading(Protocol):
    """Sessions as they are kept: all that is needed to tell of one. The log has those of a day, an archive those of years."""

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        """Events with seq > `after`, in order."""

    async def snapshot(self, session: str) -> Snapshot | None:
        """A fold to go on from, if one is kept: nothing but time is lost without it."""

    async def info(self, session: str) -> SessionInfo | None:
        """None: no such session is kept here."""

    async def get_blob(self, key: str) -> bytes | None:
        """The raw PCM an event refers to, None if it is gone."""


class Listing(Protocol):
    """Which sessions are kept."""

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        """Open sessions, the latest activity first."""

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        """Closed sessions whose log is still there, the latest first."""

    async def now(self) -> Micros:
        """By the log's clock."""


@runtime_checkable
class RowKeeping(Protocol):
    """What lists say of sessions that are over, kept with their logs: who lists many need not read those."""

    async def kept_rows(self, sessions: Sequence[str]) -> list[bytes | None]:
        """Of each, in that order (`schemas/session/kept_row`). None: there is none (yet)."""

    async def keep_row(self, session: str, seq: int, row: bytes) -> bool:
        """Keep one for as long as the log. False: there is no such session, it is open, or its last event is not `seq`."""


class Watching(Protocol):
    """Who follows many sessions asks which of them moved, and reads those."""

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        """Sessions of that state whose last event came at `since` or later, the latest first: one short answer of the log a
        partition, however many there are. A closed one may be named for a while after its log is gone."""


class Forgetting(Protocol):
    """Who keeps a session elsewhere tells the log that it need not any more."""

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        """Let go of a closed session whose last event is `seq`, and of its own ones among `sounds` (keys; what others may share
        ends by itself). OK; MISSING: it was gone already (so are its sounds now); HELD: it is open; REWOUND: it ends with another
        event. But for the first two everything stays."""


@runtime_checkable
class Milestones(Protocol):
    """Whoever keeps more folds of a session than the last one."""

    async def snapshot_before(self, session: str, seq: int) -> Snapshot | None:
        """The latest fold that is kept of events up to `seq`."""


class Storing(Protocol):
    """Sound lies beside the log; events and jobs refer to it."""

    async def put_blob(self, session: str, name: str, pcm: bytes) -> str:
        """Store raw PCM; answers the whole key, for `Reading.get_blob`."""

    async def put_shared_blob(self, session: str, pcm: bytes) -> str:
        """The same for sound that other sessions have, too: stored once in a partition, and kept for as long as a blob of its own
        from each time it is put."""


class Counting(Protocol):
    """How much there is to be done."""

    async def queued(self, stage: Stage) -> int:
        """Queued + running, all partitions."""


class Overseeing(Protocol):
    """The queues and their workers, seen from outside."""

    async def stages(self) -> list[StageSeen]:
        """Each stage, in the order of a turn; the tools' pool where it has a worker, or something waits for one. Asking changes
        nothing, and holds up nobody. Workers that have no job and were not heard of for 10 s are left out."""


class Burying(Protocol):
    """Jobs that were given up."""

    async def dead_letters(self, count: int = 50, before: str = "", stage: Stage | None = None) -> list[DeadLetter]:
        """Up to `count` of them, the latest first; `before`: only those older than this letter, be it still there or not;
        `stage`: only its own. ValueError: `before` is no letter's id."""

    async def buried(self) -> Buried:
        """How many there are now; asking reads none of them."""

    async def retry(self, letter: str) -> Outcome:
        """Enqueue the job anew, with all its time before it, and forget the letter. OK; MISSING: there is no such letter; EMPTY:
        it has no job; CLOSED: its session is over, or its log is gone; STALE: its session has gone on without it. But for OK
        the letter stays."""

    async def discard(self, letter: str) -> bool:
        """Forget it. False: there is no such letter."""


class Posting(Protocol):
    """Anybody may ask something of a session."""

    async def post(self, session: str, request: str, event: Event) -> Receipt:
        """Append one of say.requested, message.received, instructions.changed, end.requested, action.requested, memory.loaded,
        context.summarized, and what came of a tool or hook whose reply is void (tool.returned, hook.called, step.entered,
        agent.changed), without an epoch."""


class Announcing(Protocol):
    """What the workers' models speak."""

    async def announce(self, consumer: str, what: Announced, seconds: float) -> None:
        """A worker tells what its model speaks; it is believed for `seconds` (0: it is taken back)."""

    async def announced(self, stage: Stage) -> list[Announced]:
        """What the workers of a stage have told, each in its own words."""


class Admitting(Protocol):
    """Who may use the API, what they did there, and how often they may ask."""

    async def keys(self) -> list[ApiKey]:
        """The oldest first."""

    async def add_key(self, key: ApiKey) -> bool:
        """False: there are as many as there may be (`schemas.access.keys.MOST`)."""

    async def remove_key(self, key: str) -> bool:
        """By its public half. False: there is none."""

    async def had_keys(self) -> bool:
        """Whether there ever was a key: a log that had one does not forget it with the last."""

    async def ticket_secret(self) -> str:
        """What signs browsers' tickets where no setting does: made once, the same for all processes."""

    async def record(self, deed: Deed) -> None:
        """Keep it; the oldest of many go."""

    async def deeds(self, count: int = 100, before: str = "") -> list[Deed]:
        """The latest first; those before the entry `before`."""

    async def spend(self, who: str, allowance: Allowance, cost: float = 1.0) -> float:
        """0.0: `who` had that much left. Else nothing was spent: seconds after which there will be."""


class Advertising(Protocol):
    """Which gateways there are."""

    async def advertise(self, gateway: GatewaySeen, seconds: float) -> None:
        """A gateway tells of itself; it is believed for `seconds` (0: it is taken back)."""

    async def gateways(self) -> list[GatewaySeen]:
        """Those that have told of themselves, by name."""


class Drafting(Protocol):
    """Agents that are tried before they are saved."""

    async def put_draft(self, name: str, toml: str, seconds: float) -> None:
        """Keep an agent's text under `name`. Of more than `DRAFTS` the oldest are forgotten."""

    async def draft(self, name: str) -> str | None:
        """None: there is none of this name, or no more."""


class TakingIn(Protocol):
    """Sessions that were held elsewhere."""

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        """Keep a session that is over, its events (in pages) as they are, with the times they have, for as long as one that ended
        just now. OK; EXISTS: there is one of that id, and nothing was changed. Until the last event is there, nobody sees any."""


class Bus(
    Connecting, Working, Gatekeeping, Reading, Listing, RowKeeping, Watching, Forgetting, Storing, Counting, Overseeing, Burying,
    Posting, Announcing, Advertising, Drafting, Admitting, TakingIn, Protocol,
):  # fmt: skip
    """The log in all its roles. A process makes one; whatever works in it asks for the roles it plays."""
