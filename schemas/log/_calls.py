"""The function library from Python's side: what each function is called with, and what it answers, all by name.

A `Call` is named after its function, and its fields are the arguments: `ReleaseCall(consumer=…, delivery=…)` is for `release`,
which finds `call.consumer` and `call.delivery`. Either way one msgpack map goes over the wire, so a field more shifts no other.
`tests/schemas/log/test_calls.py` holds the Lua to what is declared here.

They are dicts of declared names, which msgpack packs by itself: objects would cost a commit a tenth of its time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import msgpack

from schemas.bus import Delivery, Ending, Hold, Seen
from schemas.clock import Micros
from schemas.log._fences import fence_of, perishable, replaces
from schemas.stages import Stage

if TYPE_CHECKING:
    from schemas.events import Event
    from schemas.jobs import Job

# ── rows among the arguments ─────────────────────────────────────────────────────────────────────────────────────────


class SeenRow(TypedDict):
    seq: int
    at: Micros


class EventRow(TypedDict):
    type: str
    body: bytes


class JobRow(TypedDict):
    """A job to enqueue. `fence` must have `value` ("": nothing fences it); `deadline`: µs from now; `replaces`: the utterance
    whose place it takes, or ""."""

    stage: Stage
    id: str
    lane: str
    fence: str
    value: str
    deadline: int
    perishable: bool
    replaces: str
    body: bytes


class DeliveryRow(TypedDict):
    """A job in a consumer's hands. `id`: the job's."""

    entry: str
    attempt: int
    session: str
    id: str
    lane: str
    fence: str
    value: str


class HoldRow(TypedDict):
    """A session a gateway holds. `positions`: packed, for the log gives them back as they are."""

    session: str
    epoch: int
    positions: bytes
    seen: SeenRow | None


def seen_row(seen: Seen | None) -> SeenRow | None:
    return {"seq": seen.seq, "at": seen.at} if seen else None


def event_rows(events: "Sequence[Event]") -> list[EventRow]:
    from schemas.codec import encode_event  # who only looks writes none

    return [{"type": event.type, "body": encode_event(event)} for event in events]


def job_rows(jobs: "Sequence[Job]") -> list[JobRow]:
    return [_job_row(job) for job in jobs]


def _job_row(job: "Job") -> JobRow:
    from schemas.codec import encode_job

    fence, value = fence_of(job)
    return {
        "stage": job.stage,
        "id": job.id,
        "lane": job.lane or "",
        "fence": fence,
        "value": value,
        "deadline": int(job.deadline * 1e6),
        "perishable": perishable(job),
        "replaces": replaces(job),
        "body": encode_job(job),
    }


def delivery_row(delivery: Delivery) -> DeliveryRow:
    job = delivery.job
    fence, value = fence_of(job)
    return {
        "entry": delivery.entry,
        "attempt": delivery.attempt,
        "session": job.session,
        "id": job.id,
        "lane": job.lane or "",
        "fence": fence,
        "value": value,
    }


def hold_row(hold: Hold) -> HoldRow:
    positions = msgpack.packb(dict(hold.positions))
    return {"session": hold.session, "epoch": hold.epoch, "positions": positions, "seen": seen_row(hold.seen)}


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# Durations are ms. `lease`: how long what is taken or held stays owned; `settle`: for so long after the log was away a lease
# that ran out is still its owner's.


class TakeCall(TypedDict):
    consumer: str
    count: int
    lease: int
    reclaim: bool
    settle: int


class RenewCall(TypedDict):
    consumer: str
    deliveries: Sequence[DeliveryRow]


class ReleaseCall(TypedDict):
    consumer: str
    delivery: DeliveryRow


class RetireCall(TypedDict):
    """`dead`: of silence, after which a consumer that owns nothing is forgotten."""

    consumer: str
    dead: int


class CommitCall(TypedDict):
    """`stage` and `reason`: for the dead letter."""

    consumer: str
    delivery: DeliveryRow
    step: int
    ending: Ending
    seen: SeenRow | None
    stage: Stage
    reason: str
    events: Sequence[EventRow]
    jobs: Sequence[JobRow]


class OpenCall(TypedDict):
    owner: str
    request: str
    ticket: str
    lease: int
    events: Sequence[EventRow]
    jobs: Sequence[JobRow]


class PublishCall(TypedDict):
    """`raises`: the generation to set; `retention`: the session is closed, and kept for so long; `snapshot`: packed."""

    epoch: int
    operation: int
    seen: SeenRow | None
    raises: int | None
    retention: int | None
    snapshot: bytes | None
    limits: Mapping[Stage, int]
    events: Sequence[EventRow]
    jobs: Sequence[JobRow]


class HoldCall(TypedDict):
    owner: str
    lease: int
    sessions: Sequence[HoldRow]


class ClaimCall(TypedDict):
    owner: str
    request: str
    ticket: str
    lease: int
    settle: int


class ExpiredCall(TypedDict):
    count: int
    settle: int


class PostCall(TypedDict):
    request: str
    events: Sequence[EventRow]


class ForgetCall(TypedDict):
    """`seq`: of the event it must end with."""

    seq: int


class StagesCall(TypedDict):
    """`silent`: after which a worker that has no job is left out."""

    silent: int


class RetryCall(TypedDict):
    """`letter`: the id of its entry."""

    letter: str


Call = (
    TakeCall
    | RenewCall
    | ReleaseCall
    | RetireCall
    | CommitCall
    | OpenCall
    | PublishCall
    | HoldCall
    | ClaimCall
    | ExpiredCall
    | PostCall
    | ForgetCall
    | StagesCall
    | RetryCall
)


def packed(call: Call) -> bytes:
    packed: bytes = msgpack.packb(call, use_bin_type=False)  # of the server's msgpack: it knows texts only
    return packed


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SessionAnswer(TypedDict):
    """Of a session function."""

    outcome: str
    seq: int
    time: Micros
    at: Micros


class ClaimAnswer(SessionAnswer, total=False):
    """Of an `open` or a `claim`; the rest only where it succeeded."""

    epoch: int
    positions: str


class TakenRow(TypedDict):
    """A job that was handed out."""

    entry: str
    attempt: int
    session: str
    body: str
    answers: int
    deadline: Micros
    enqueued: Micros
    last_step: int


class TakeAnswer(TypedDict):
    """`again`: ms after which a lease may have run out."""

    last_id: str
    time: Micros
    jobs: list[TakenRow]
    again: int


class HoldAnswer(TypedDict):
    time: Micros
    queued: dict[Stage, int]
    receipts: list[SessionAnswer]


class WorkerRow(TypedDict):
    """ms; `idle`: -1 where it never had a job."""

    name: str
    jobs: int
    idle: int
    seen: int


class StageRow(TypedDict):
    """`oldest`: µs."""

    queued: int
    running: int
    oldest: int
    added: int
    workers: list[WorkerRow]


def unpacked(answer: bytes) -> Any:
    return msgpack.unpackb(answer, unicode_errors="surrogateescape")  # all are texts, what is packed within them, too


def as_bytes(text: str) -> bytes:
    """What was packed when it was sent, out of an answer."""
    return text.encode("utf-8", "surrogateescape")
