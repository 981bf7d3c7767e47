"""A session's events, as they were appended."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access.who import Operator
from api.house import Here
from api.routes.sessions import Seq, SessionId
from api.sessions.shapes import EventPage

router = APIRouter(prefix="/v1/sessions", tags=["events"])

MOST = 500
_Type = Annotated[str, Query(max_length=64)]


@router.get("/{session}/events")
async def events(
    house: Here,
    who: Operator,
    session: SessionId,
    after: Seq = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 200,
    type: Annotated[
        list[_Type], Query(max_length=40, description="Only of these types, or that begin so: transcript.")
    ] = [],  # noqa: B006
) -> EventPage:
    """Events after `after`, in order. Of some types only, a page may hold fewer than `limit`, or none, though `next` says where
    to go on."""
    return await house.stories.page(session, after, limit, type)
