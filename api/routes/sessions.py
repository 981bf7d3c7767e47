"""Sessions: which there are, and each of them whole."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from api.access.who import Operator
from api.event_streams import EventStream
from api.house import Here
from api.sessions.shapes import RowsChange, SessionList, SessionView
from api.sessions.stories import LONGEST_ID
from api.times import Moment, micros
from schemas.events import TransportName
from schemas.session.snapshot import whole
from schemas.session.summary import Wanted

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

SessionId = Annotated[str, Path(min_length=1, max_length=LONGEST_ID, description="A session's id.")]
Seq = Annotated[int, Query(ge=0, le=2**53, description="Place of an event in the log: 1, 2, 3, …")]
_Part = Annotated[str, Query(max_length=200)]


@router.get("", response_model=SessionList)
async def sessions(
    house: Here,
    who: Operator,
    state: Literal["open", "closed"] | None = None,
    agent: _Part = "",
    caller: Annotated[str, Query(max_length=200, description="Part of a participant's name or identity.")] = "",
    transport: TransportName | None = None,
    since: Annotated[Moment | None, Query(description="Begun then or later; without a zone it is UTC.")] = None,
    slow_ms: Annotated[float, Query(ge=0, le=1e7, description="Its slowest answer took as long at least.")] = 0,
    failed: Annotated[bool | None, Query(description="Something in it went wrong, or nothing did.")] = None,
    forks: Annotated[bool | None, Query(description="Only replays of others, or all but those.")] = None,
    q: Annotated[str, Query(max_length=200, description="Part of any name in it.")] = "",
    variant: _Part = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=300, description="`next` of the page before.")] = "",
) -> Response:
    """Open sessions, and closed ones whose log is kept; those that began last come first. A second old at most."""
    wanted = Wanted(
        state=state, agent=agent, caller=caller.casefold(), transport=transport or "", since=micros(since),
        slow=slow_ms / 1e3, failed=failed, text=q.casefold(), forks=forks,
        variant=variant,
    )  # fmt: skip
    rows, following = await house.sessions.page(wanted, limit, cursor)
    unread = house.sessions.index.unread
    body = b'{"sessions":[%s],"next":%s,"unread":%d}' % (b",".join(rows), json.dumps(following).encode(), unread)
    return Response(body, media_type="application/json")


@router.get("/stream", response_class=EventStream, responses={200: {"model": RowsChange}})
async def sessions_stream(house: Here, who: Operator) -> EventStream:
    """Server-sent events `rows`: every open session first, then those that changed, those that were closed among them."""
    return house.sessions.streams.of(house.sessions.index.stream())


@router.get("/{session}", response_model=SessionView)
async def session(house: Here, who: Operator, session: SessionId) -> Response:
    """A session whole: its turns on one clock, with waterfalls, words and what went wrong. 404: there is none of that name."""
    story = await house.sessions.stories.told(session)
    gist = await house.sessions.gist(session) if story.archived else None
    return Response(story.json(gist), media_type="application/json")


@router.get("/{session}/state")
async def state(house: Here, who: Operator, session: SessionId, at: Seq | None = None) -> dict[str, Any]:
    """What the log amounts to after event `at` (without it, now): participants, open turns, the chat an LLM would be given."""
    return whole(await house.sessions.stories.state_at(session, at))
