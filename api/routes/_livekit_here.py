"""The LiveKit server, as a parameter of a route: `livekit: LiveKitHere`. Where there is none, the answer says how to get one."""

from typing import Annotated

from fastapi import Depends, Request

from api.house import house_of
from api.problems import Problem
from schemas.access.livekit import Access

OFF = (
    "this server has no LiveKit rooms: set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET (antiphon up --livekit "
    "starts a server of its own)"
)


async def _livekit(request: Request) -> Access:
    livekit = house_of(request).livekit
    if livekit is None:
        raise Problem(503, "livekit_off", OFF, told="this server has no LiveKit rooms")
    return livekit


LiveKitHere = Annotated[Access, Depends(_livekit)]
