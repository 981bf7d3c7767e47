"""A session's sound: the callers on the left, on the right the agent as it was heard."""

import logging
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Send

from api.access.record import is_deed
from api.access.who import Operator
from api.house import Hearer, Here, House
from api.routes.sessions import SessionId
from api.sessions.peaks import Peaks
from api.sessions.ranges import Bytes
from api.sessions.wav import Wav
from schemas.errors import BusError

log = logging.getLogger("antiphon.api")

router = APIRouter(prefix="/v1/sessions", tags=["sound"])

_HEARD_FOR = 600.0
"""Seconds in which hearing a call that goes on is recorded once."""


class WavResponse(StreamingResponse):
    """Should the log go away in the middle of it, the connection is closed: so the other side knows that it is not whole."""

    media_type = "audio/wav"

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except BusError as error:
            log.warning("the log went away while a session's sound was being sent: %s", error)


@router.get(
    "/{session}/audio.wav",
    response_class=WavResponse,
    responses={206: {"description": "The bytes of Range."}, 304: {"description": "It is what If-None-Match names."}},
)
async def audio(request: Request, house: Here, who: Operator, session: SessionId, wanted: Bytes) -> Response:
    """WAV, stereo, 16 kHz, up to now; a call that goes on gets longer, and another ETag. Range: one of bytes; of several, and
    of what is none, the whole is sent. Who hears a call that goes on is recorded: once in ten minutes."""
    wav, tag, goes_on = await _wav(house, session)
    if goes_on and _is_new(house.heard, (who.name, who.key, session)):
        is_deed(request)
    if wanted.knows(tag):
        return Response(status_code=304, headers=_headers(tag))
    status, span, more = wanted.of(wav.size, tag)
    return WavResponse(wav.read(span), status, _headers(tag) | more)


@router.head("/{session}/audio.wav", include_in_schema=False)
async def audio_head(house: Here, who: Operator, session: SessionId) -> Response:
    """How long it is, and which."""
    wav, tag, _ = await _wav(house, session)
    return Response(headers=_headers(tag) | {"Content-Length": str(wav.size)}, media_type=WavResponse.media_type)


@router.get("/{session}/peaks")
async def peaks(
    house: Here, who: Operator, session: SessionId, points: Annotated[int, Query(ge=1, le=4_000)] = 1_000
) -> Peaks:
    """What a waveform of `audio.wav` is drawn from."""
    return await house.sessions.loudness.peaks(session, points)


def _is_new(heard: dict[Hearer, float], hearer: Hearer) -> bool:
    """Players ask for a file in many pieces."""
    now = time.monotonic()
    for one in [one for one, at in heard.items() if now - at > _HEARD_FOR]:
        del heard[one]
    return heard.setdefault(hearer, now) == now


async def _wav(house: House, session: str) -> tuple[Wav, str, bool]:
    """The file as it is now, its ETag, and whether the call goes on. Its bytes are those of the events as long as the log has the
    sound; the archive may have let go of some, or made Opus of it: then what it has is in the tag, too."""
    story = await house.sessions.stories.told(session)
    wav = Wav(house.sessions.stories.reader.log, story.score)
    tag = f"{story.state.seq:x}-{story.state.at:x}-{wav.size:x}"
    kept = house.sessions.kept
    if story.archived and kept is not None and (mark := await kept.sound_mark(session)):
        tag = f"{tag}-{mark[:32]}"
    return wav, f'"{tag}"', not story.over


def _headers(tag: str) -> dict[str, str]:
    return {"Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private, no-cache"}
