"""How long answers take."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.access.who import Operator
from api.event_streams import EventStream
from api.house import Here
from api.sessions.latency import Latency, latency_of
from api.times import Moment, micros

router = APIRouter(prefix="/v1", tags=["latency"])


_Agent = Annotated[str, Query(max_length=200)]
LONGEST = 86_400


@router.get("/latency")
async def latency(
    house: Here,
    who: Operator,
    since: Annotated[Moment | None, Query(description="What was said then or later; without a zone it is UTC.")] = None,
    agent: _Agent = "",
) -> Latency:
    """Of all calls that are kept (no replays): how long answers took over time, where that time went, and which took longest."""
    began, index = micros(since), house.sessions.index
    told = index.answers(began, agent)
    return await asyncio.to_thread(latency_of, told, began, await house.bus.now(), index.unread)


@router.get("/latency/stream", response_class=EventStream, responses={200: {"model": Latency}})
async def latency_stream(
    house: Here,
    who: Operator,
    seconds: Annotated[int, Query(ge=60, le=LONGEST, description="How far back from now.")] = 3_600,
    agent: _Agent = "",
) -> EventStream:
    """Server-sent events: `latency`, as `GET /v1/latency` answers, of the last `seconds`: now, when more was answered, and as
    time goes on; `away` with a sentence while the log does not answer."""
    return house.streams.of(house.sessions.latency.stream(house.bus, seconds, agent))
