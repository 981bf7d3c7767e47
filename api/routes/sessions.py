"""Sessions: which there are, and each of them whole."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api.access.who import Operator
from api.house import Here
from api.sessions.shapes import SessionView
from api.sessions.stories import LONGEST_ID
from schemas.session.history import whole

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

SessionId = Annotated[str, Path(min_length=1, max_length=LONGEST_ID, description="A session's id.")]
Seq = Annotated[int, Query(ge=0, le=2**53, description="Place of an event in the log: 1, 2, 3, …")]


@router.get("/{session}")
async def session(house: Here, who: Operator, session: SessionId) -> SessionView:
    """A session whole: its turns on one clock, with waterfalls, words and what went wrong. 404: there is none of that name."""
    return (await house.stories.told(session)).view()


@router.get("/{session}/state")
async def state(house: Here, who: Operator, session: SessionId, at: Seq | None = None) -> dict[str, Any]:
    """What the log amounts to after event `at` (without it, now): participants, open turns, the chat an LLM would be given."""
    return whole(await house.stories.state_at(session, at))
