"""Work in the background that an operator asked for: how far it is, and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import jobs
from api.access.who import Operator
from api.event_streams import EventStream
from api.house import Here
from api.jobs import Jobs, JobView
from api.problems import Problem
from schemas.background.asked import Kind
from schemas.errors import BusError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(min_length=1, max_length=64, pattern="^[0-9A-Za-z_-]+$", description="A job's id.")]


@router.get("")
async def job_list(
    house: Here, who: Operator, kind: Kind | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Jobs:
    """The latest; each is kept for a week."""
    try:
        found = await house.asked.latest(kind, limit)
        served = await house.asked.served()
    except BusError as error:
        raise jobs.away(error) from None
    return Jobs(jobs=[jobs.view(one, served=served, whole=False) for one in found], served=served)


@router.get("/{job}")
async def job(house: Here, who: Operator, job: JobId) -> JobView:
    """One of them, with what came of it. 404: there is none of that id, or it was long ago."""
    return await jobs.found(house, job)


@router.get("/{job}/stream", response_class=EventStream, responses={200: {"model": JobView}})
async def job_stream(house: Here, who: Operator, job: JobId) -> EventStream:
    """Server-sent events `job` with each change, the first at once; `end`: it is over, and that was all."""
    await jobs.found(house, job)
    return house.streams.of(jobs.follow(house, job))


@router.delete("/{job}")
async def job_stop(house: Here, who: Operator, job: JobId) -> JobView:
    """Stop it. What it has made so far stays. 409: it is over."""
    await jobs.found(house, job)
    try:
        if not await house.asked.stop(job):
            raise Problem(409, "over", "this job is over already; there is nothing to stop")
    except BusError as error:
        raise jobs.away(error) from None
    return await jobs.found(house, job)
