"""What follows a session once it is archived: webhooks, a summary, a recording, and what became of each."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.access.who import Operator
from api.house import Here
from api.routes.sessions import SessionId
from api.times import iso

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

_MOST = 50


class FollowUpView(BaseModel):
    """`about`: of a webhook, which event it tells; `tries`: that failed since it is tried; `next_at`: its next try, while it is
    pending; `done_at`: once it is done; `error`: why the last try failed."""

    id: str
    kind: Literal["webhook", "summary", "recording", "result", "memory"]
    about: str
    state: Literal["pending", "done", "failed"]
    tries: int
    next_at: str | None
    done_at: str | None
    error: str


class FollowUps(BaseModel):
    """`archived`: only what is archived is followed; before that there are none."""

    archived: bool
    follow_ups: list[FollowUpView]


@router.get("/{session}/follow-ups")
async def follow_ups(house: Here, who: Operator, session: SessionId) -> FollowUps:
    """Those that came last first. 404: there is no such session."""
    await house.sessions.stories.exists(session)
    kept = house.sessions.kept
    if kept is None or await kept.live.info(session) is not None or (archive := await kept.archive()) is None:
        return FollowUps(archived=False, follow_ups=[])
    found = await archive.follow_ups(_MOST, session=session)
    return FollowUps(
        archived=True,
        follow_ups=[
            FollowUpView(
                id=one.id, kind=one.kind, about=one.about, state=one.state, tries=one.failures,
                next_at=iso(one.due_at) if one.state == "pending" else None,
                done_at=iso(one.done_at) if one.done_at else None, error=one.error,
            )
            for one in found
        ],
    )  # fmt: skip
