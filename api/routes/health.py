"""Is it alive, can it work, and its figures."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from api.access.who import Operator
from api.house import NOT_YET, house_of, look_at_queues
from schemas.errors import BusError

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["ok"] = "ok"
    service: Literal["antiphon-api"] = "antiphon-api"


class Ready(BaseModel):
    """`because`: why it can't work, one phrase each; nothing means ready. `starting`: nothing has failed yet, it has only just
    begun. `missing`: what calls need and is not there just now; the API works without."""

    ready: bool
    because: list[str]
    starting: bool = False
    missing: list[str] = []


@router.get("/health")
async def health() -> Alive:
    """Answers as long as the process lives, whatever became of the log."""
    return Alive()


@router.get("/ready", responses={503: {"model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """503, and which part is missing, while it can't work; why that is, its own log says, and the page at HEALTH_PORT."""
    house = house_of(request)
    if house.waits_for:
        response.status_code = 503
        starting = house.waits_for == NOT_YET
        return Ready(ready=False, because=[NOT_YET if starting else BusError.told], starting=starting)
    felt = await house.pulse.feel(house)
    response.status_code = 503 if felt.because else 200
    return Ready(ready=not felt.because, because=felt.because, missing=felt.missing)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, _: Operator) -> Response:
    """In Prometheus' exposition format, for operators' keys; HEALTH_PORT has them for whoever reaches that."""
    house = house_of(request)
    await look_at_queues(house)
    return Response(await asyncio.to_thread(house.figures.text), media_type=CONTENT_TYPE_LATEST)
