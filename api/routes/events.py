"""A session's events, as they were appended."""

import json
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from api.access.who import Operator
from api.event_streams import EventStream
from api.house import Here
from api.problems import Problem
from api.routes.sessions import Seq, SessionId
from api.sessions.channels import Place
from api.sessions.shapes import EventPage, EventView

router = APIRouter(prefix="/v1/sessions", tags=["events"])

MOST = 500
_Type = Annotated[str, Query(max_length=64)]


@router.get("/{session}/events", response_model=EventPage)
async def events(
    house: Here,
    who: Operator,
    session: SessionId,
    after: Seq = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 200,
    type: Annotated[
        list[_Type], Query(max_length=40, description="Only of these types, or that begin so: transcript.")
    ] = [],  # noqa: B006
) -> Response:
    """Events after `after`, in order. Of some types only, a page may hold fewer than `limit`, or none, though `next` says where
    to go on."""
    page = await house.sessions.stories.page(session, after, limit, type)
    body = b'{"events":[%s],"next":%s}' % (b",".join(text for _, text in page.events), json.dumps(page.next).encode())
    return Response(body, media_type="application/json")


@router.get("/{session}/events/stream", response_class=EventStream, responses={200: {"model": EventView}})
async def events_stream(
    house: Here,
    who: Operator,
    session: SessionId,
    after: Seq = 0,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="Id of the last event that was read: it goes on after that.")
    ] = None,
) -> EventStream:
    """Server-sent events `event`, from after `after` or Last-Event-ID on, as they come. `rewound` `{after}`: the log lost its
    tail, what follows begins after that event; `end`: the session has ended, and that was all."""
    place = Place(after)
    if last_event_id:
        known = Place.parsed(last_event_id)
        if known is None:
            raise Problem(
                422, "last_event_id", "Last-Event-ID: give the id of an event of this stream, or leave it out"
            )
        place = known
    return house.sessions.streams.of(await house.sessions.channels.follow(session, place))
