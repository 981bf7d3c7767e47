"""What is deleted for good: a session, or all there is of a person; and the proof that it was."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from api import jobs
from api.access.who import Operator
from api.house import Here
from api.jobs import JobView
from api.problems import Problem
from api.results import ErasureView, proof
from api.routes.sessions import SessionId

router = APIRouter(prefix="/v1", tags=["erasures"])

_FIELDS = ("id", "kind", "asked_by", "asked_at", "done_at", "removed")


class PersonAsk(BaseModel):
    """`person`: an identity or a name, as it stands in sessions; whichever case it is in."""

    model_config = ConfigDict(extra="forbid")

    person: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class Erasures(BaseModel):
    """The latest first."""

    erasures: list[ErasureView]


@router.delete("/sessions/{session}", status_code=202)
async def delete_session(house: Here, who: Operator, session: SessionId) -> JobView:
    """Delete a session for good: out of the log, the archive and their sound. `result.proof` says that it is done. 404: there is
    none of that name; 409: it goes on."""
    info = await house.sessions.stories.exists(session)
    if info.state == "open":
        raise Problem(409, "open", f"session {session[:200]!r} goes on; end it first, then it can be deleted")
    return await jobs.ask(house, "removal", {"sessions": [session]}, who.name)


@router.post("/erasures", status_code=202)
async def erase(house: Here, who: Operator, ask: PersonAsk) -> JobView:
    """Delete every session in which somebody has this identity or name, whole: whatever others said in it goes, too. Those that
    go on stay (`result.open`): ask again once they are over. `result.proof` says what was deleted, and not whose it was."""
    return await jobs.ask(house, "erasure", {"person": ask.person}, who.name)


@router.get("/erasures")
async def erasures(house: Here, who: Operator, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Erasures:
    """What was deleted: proofs, the latest first."""
    kept = house.sessions.kept
    archive = await kept.archive() if kept is not None else None
    found = await archive.erasures(limit) if archive is not None else []
    return Erasures(erasures=[proof({name: getattr(one, name) for name in _FIELDS}) for one in found])
