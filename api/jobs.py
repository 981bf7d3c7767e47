"""What the jobs worker was asked for, as it is told; and how somebody asks."""

import asyncio
from typing import Any

from pydantic import BaseModel

from api.event_streams import COMMENT, HEARTBEAT, Messages, message
from api.house import House
from api.problems import Problem, missing
from api.results import Result, result_of
from api.times import iso
from schemas.background.asked import Asked, Kind, State
from schemas.clock import Micros
from schemas.errors import BusError, BusFull

__all__ = ["JobView", "Jobs", "ask", "follow", "found", "view"]

_LOOK = 0.4
"""Seconds between two looks at a job that somebody follows."""
_TOLD = ("session", "from_turn", "changed", "filter", "most", "set", "agent_name", "name", "sessions")
"""What of a request is told again; whom an erasure is about is not."""


class JobView(BaseModel):
    """`kind`: fork, batch, import, removal (of sessions), erasure (of a person); `by`: who asked; `done` of `of` (0: not known
    yet) is behind it, `doing`: what is on now; `about`: what was asked; `result`: what came of it; `error`: why nothing did;
    `revision`: another one with each change; `served`: whether a jobs worker is there at all."""

    id: str
    kind: Kind
    state: State
    by: str
    asked_at: str
    changed_at: str
    done: int
    of: int
    doing: str
    about: dict[str, Any]
    result: Result | None
    error: str
    revision: int
    served: bool = True


class Jobs(BaseModel):
    """The last one asked for comes first; without results."""

    jobs: list[JobView]
    served: bool


def view(one: Asked, *, served: bool = True, whole: bool = True) -> JobView:
    """`whole`: with what came of it."""
    about = {name: value for name, value in one.request.items() if name in _TOLD} if one.kind != "erasure" else {}
    return JobView(
        id=one.id, kind=one.kind, state=one.state, by=one.by, asked_at=iso(Micros(one.asked_at)),
        changed_at=iso(Micros(one.changed_at)), done=one.done, of=one.of, doing=one.doing, about=about,
        result=result_of(one) if whole and one.over else None, error=one.error, revision=one.revision, served=served or one.over,
    )  # fmt: skip


async def ask(house: House, kind: Kind, request: dict[str, Any], by: str) -> JobView:
    """Problem 503: there is nobody to ask, or too much waits already."""
    try:
        made = await house.asked.ask(kind, request, by)
        return view(made, served=await house.asked.served())
    except BusFull as error:
        raise Problem(503, "jobs_full", str(error), {"Retry-After": "30"}) from None
    except BusError as error:
        raise away(error) from None


async def found(house: House, name: str) -> JobView:
    """Problem 404: there is none, or it was long ago."""
    try:
        one = await house.asked.get(name)
        if one is None:
            raise missing("job", name)
        return view(one, served=one.over or await house.asked.served())
    except BusError as error:
        raise away(error) from None


def away(error: BusError) -> Problem:
    """503: the jobs' Redis can't be used."""
    return Problem(
        503, "jobs_away", str(error), {"Retry-After": "5"}, told="background jobs are not to be had just now"
    )


async def follow(house: House, name: str) -> Messages:
    """`job` with each change, and `end` once it is over."""
    told, quiet = 0, 0.0
    while True:
        try:
            revision = await house.asked.revision(name)
            one = await house.asked.get(name) if revision != told else None
            served = one is None or one.over or await house.asked.served()
        except BusError:  # it is looked for again
            revision, one, served = told, None, True
        if one is not None:
            told, quiet = one.revision, 0.0
            yield message("job", view(one, served=served).model_dump_json().encode(), str(told))
            if one.over:
                yield message("end", b"{}")
                return
        elif revision == 0:
            yield message("end", b"{}")
            return
        if quiet >= HEARTBEAT:
            quiet = 0.0
            yield COMMENT
        await asyncio.sleep(_LOOK)
        quiet += _LOOK
