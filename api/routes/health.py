"""Is it alive, can it work, and its figures."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.house import house_of
from schemas.errors import BusError

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["ok"] = "ok"
    service: Literal["antiphon-api"] = "antiphon-api"


class Ready(BaseModel):
    """`because`: what is missing, one phrase each; nothing means ready."""

    ready: bool
    because: list[str]


@router.get("/health")
async def health() -> Alive:
    """Answers as long as the process lives, whatever became of the log."""
    return Alive()


@router.get("/ready", responses={503: {"model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """503, and which part is missing, while it can't work."""
    house = house_of(request)
    because = [f"log: {house.waits_for}"] if house.waits_for else []
    if not because:
        try:
            await house.bus.now()
        except BusError as error:
            because.append(f"log: {error}")
    response.status_code = 503 if because else 200
    return Ready(ready=not because, because=because)
