"""What was said in a session: as JSON, as text, as captions for its sound."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from api.access.who import Operator
from api.house import Here
from api.routes.sessions import SessionId
from api.sessions.transcript import Transcript, as_text, as_vtt, transcript_of

router = APIRouter(prefix="/v1/sessions", tags=["transcript"])


class VttResponse(PlainTextResponse):
    media_type = "text/vtt"


@router.get("/{session}/transcript.json")
async def transcript_json(house: Here, who: Operator, session: SessionId) -> Transcript:
    """Everything that was said and typed, in the order of speech; of what was cut, what was heard."""
    return await transcript_of(await house.sessions.stories.told(session))


@router.get("/{session}/transcript.txt", response_class=PlainTextResponse)
async def transcript_txt(house: Here, who: Operator, session: SessionId) -> str:
    """The same for people, a line each: `[00:00:02.605] Agent: Once upon a time —`."""
    return as_text(await transcript_of(await house.sessions.stories.told(session)))


@router.get("/{session}/transcript.vtt", response_class=VttResponse)
async def transcript_vtt(house: Here, who: Operator, session: SessionId) -> VttResponse:
    """The same as WebVTT captions, on the clock of `audio.wav`."""
    return VttResponse(as_vtt(await transcript_of(await house.sessions.stories.told(session))))
