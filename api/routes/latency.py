"""How long answers take."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from api.access.who import Operator
from api.house import Here
from api.sessions.latency import Latency, latency_of
from api.times import Moment, micros

router = APIRouter(prefix="/v1", tags=["latency"])


@router.get("/latency")
async def latency(
    house: Here,
    who: Operator,
    since: Annotated[Moment | None, Query(description="What was said then or later; without a zone it is UTC.")] = None,
    agent: Annotated[str, Query(max_length=200)] = "",
) -> Latency:
    """Of all sessions that are kept: how long answers took over time, where that time went, and which took longest."""
    began, index = micros(since), house.sessions.index
    told = index.answers(began, agent)
    return await asyncio.to_thread(latency_of, told, began, await house.bus.now(), index.unread)
