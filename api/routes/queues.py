"""The stages' queues and their workers; live, with the gateways, and whether jobs were given up."""

import json
from functools import lru_cache

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.access.who import Operator
from api.event_streams import COMMENT, EventStream, Messages, message
from api.house import Here, House
from api.queue_watch import Look
from api.routes.gateways import Gateway, gateways_of
from api.times import iso
from schemas.bus import StageSeen
from schemas.clock import Micros
from schemas.errors import BusError
from schemas.events import Stage

router = APIRouter(prefix="/v1/queues", tags=["queues"])


class WorkerRow(BaseModel):
    """`jobs`: in its hands; `idle_s`: since it last had one, null: it never had; `seen_s`: since it last asked for anything."""

    name: str
    jobs: int
    idle_s: float | None
    seen_s: float


class StageRow(BaseModel):
    """`queued`: jobs that wait for a worker; `running`: in a worker's hands; `oldest_s`: how long the first of those that wait
    has waited; `done_per_s`: how many ended, the mean of the last ten seconds at most, null: not known yet."""

    stage: Stage
    queued: int
    running: int
    oldest_s: float
    done_per_s: float | None
    workers: list[WorkerRow]


class LettersMark(BaseModel):
    """How many dead letters there are. `mark`: another one whenever any came or went, so that they need be read anew."""

    count: int
    mark: str


class Queues(BaseModel):
    """`stages`: in the order of a turn; `at`: when they were looked at, ISO 8601; `gateways`: as `GET /v1/gateways` has them;
    `dead_letters`: of every stage."""

    at: str
    stages: list[StageRow]
    gateways: list[Gateway]
    dead_letters: LettersMark


@router.get("", response_model=Queues)
async def queues(house: Here, _: Operator) -> Response:
    """As they are, or were a second ago."""
    return Response(_json(await house.queues.latest(house.bus)), media_type="application/json")


@router.get("/stream", response_class=EventStream, responses={200: {"model": Queues}})
async def stream(house: Here, _: Operator) -> EventStream:
    """Server-sent events: `queues`, each second, as `GET /v1/queues` answers; `away` with a sentence while the log does not
    answer."""
    return house.streams.of(_messages(house))


async def _messages(house: House) -> Messages:
    async for look in house.queues.each(house.bus):
        match look:
            case None:
                yield COMMENT
            case BusError():
                yield message("away", json.dumps({"detail": str(look)}).encode())
            case _:
                yield message("queues", _json(look))


@lru_cache(maxsize=1)
def _json(look: Look) -> bytes:
    """Made once, however many read it."""
    return _told(look).model_dump_json().encode()


def _told(look: Look) -> Queues:
    return Queues(
        at=iso(Micros(round(look.taken * 1e6))),
        stages=[_row(seen, look.done_per_s.get(seen.stage)) for seen in look.stages],
        gateways=gateways_of(look.gateways),
        dead_letters=LettersMark(count=look.buried.letters, mark=look.buried.mark),
    )


def _row(seen: StageSeen, done_per_s: float | None) -> StageRow:
    workers = [
        WorkerRow(name=worker.name, jobs=worker.jobs, idle_s=worker.idle, seen_s=worker.seen) for worker in seen.workers
    ]
    return StageRow(
        stage=seen.stage, queued=seen.queued, running=seen.running, oldest_s=seen.oldest, done_per_s=done_per_s,
        workers=workers,
    )  # fmt: skip
