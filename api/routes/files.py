"""Sessions as files: one taken out, whole or as sound alone; one from elsewhere taken in."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api import jobs
from api.access.record import about, is_deed
from api.access.who import Operator
from api.house import Here, House
from api.jobs import JobView
from api.problems import Problem
from api.routes.sessions import SessionId
from api.sessions.ranges import Bytes
from api.sessions.recorded import Recorded, fetched, recorded
from api.sessions.story import Story
from schemas.archive.place import place_of
from schemas.errors import ArchiveError, BusError
from schemas.session.encoding import ENCODINGS
from schemas.session.export import Export
from schemas.text.clean import one_line

if TYPE_CHECKING:
    from schemas.archive.store import StoredRecording

log = logging.getLogger("antiphon.api")

router = APIRouter(prefix="/v1", tags=["files"])

_PIECE_WITHIN = 30.0
"""Seconds in which something more of an upload comes."""
_AT_ONCE = 4
"""Uploads that one process receives, and sound files that it makes."""
_room, _makers = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(2)
_UNFIT = re.compile(r"[^\w.()+ -]", re.ASCII)
_ID = r"^[0-9a-f]{32}$"

FileName = Annotated[str, Query(min_length=1, max_length=200, description="What its sender calls it, for people.")]


class FileStream(StreamingResponse):
    """Should what it is made of go away in its midst, the connection is closed: so the other side knows that it is not whole.
    `done`: is called once it is sent, or nobody wants it any more."""

    done: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.done is not None:
                self.done()

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except (BusError, ArchiveError) as error:
            log.warning("what a file was being made of went away: %s", error)


class Upload(BaseModel):
    """`upload`: its name for POST /v1/imports, for a day; `bytes`: how many came."""

    upload: str
    bytes: int


class ImportAsk(BaseModel):
    """`upload`: an export file, or a recording (WAV, FLAC, Ogg, MP3; in stereo the caller left, the agent right; `swap`: the
    other way round); `name`: of the file; `captions`: an upload of them (.vtt, .srt), for a recording; `agent_voice`: what they
    call the agent; `called`: the session's id, "": as it was, or after the file; `salvage`: of a damaged export take what is
    sound."""

    model_config = ConfigDict(extra="forbid")

    upload: Annotated[str, StringConstraints(pattern=_ID)]
    captions: Annotated[str, StringConstraints(pattern=_ID)] | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    called: Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._~-]*$|^$")] = ""
    agent_voice: Annotated[str, StringConstraints(max_length=100)] = ""
    swap: bool = False
    salvage: bool = Field(False)


@router.get(
    "/sessions/{session}/export", response_class=FileStream, responses={200: {"content": {"application/zip": {}}}}
)
async def export(request: Request, house: Here, who: Operator, session: SessionId) -> FileStream:
    """Everything the session left, events, sound and state, in one file (docs/export-file.md), made while it is sent. Who took
    it is recorded. 503: API_EXPORTS of them are being sent."""
    info = await house.sessions.stories.exists(session)
    if house.exports >= (most := house.settings.api_exports):
        raise Problem(
            503, "exports", f"{most} sessions are being exported (API_EXPORTS); try again", {"Retry-After": "10"}
        )
    is_deed(request)
    made = Export(house.sessions.stories.reader.log, info.session, partitions=house.settings.partitions)
    answer = FileStream(made.chunks(), media_type="application/zip", headers=_named(session, "zip"))
    house.exports += 1

    def sent() -> None:
        house.exports -= 1

    answer.done = sent
    return answer


Format = Annotated[
    Literal["opus", "flac", "wav"] | None,
    Query(description="Opus is small; the others are lossless. Without: as it is kept with the session, else Opus."),
]


@router.get(
    "/sessions/{session}/recording",
    response_class=FileStream,
    responses={
        200: {"content": {"audio/*": {}}},
        206: {"description": "The bytes of Range."},
        304: {"description": "It is what If-None-Match names."},
    },
)
async def recording(
    request: Request, house: Here, who: Operator, session: SessionId, wanted: Bytes, format: Format = None
) -> Response:
    """The session's sound as one stereo file: the callers left, right the agent as it was heard. One of this format that is kept
    with the session is sent as it is, by ranges, too, with an ETag; else one is made now. 409: it goes on. Who took it is
    recorded."""
    story = await _over(house, session)
    if (one := await _stored(house, session, format)) is not None:
        headers = _headers(session, one)
        if wanted.knows(headers["ETag"]):
            del headers["Content-Length"]
            return Response(status_code=304, headers=headers)
        status, span, more = wanted.of(one.bytes, headers["ETag"])
        assert house.sessions.kept is not None
        if (file := await fetched(house.sessions.kept, one)) is not None:
            is_deed(request)
            return FileStream(file.chunks(span), status, headers | more, ENCODINGS[one.codec].media_type)
    is_deed(request)
    kind = format or "opus"
    async with _makers:
        made: Recorded = await recorded(house.sessions.stories.reader.log, story.score, ENCODINGS[kind])
    headers = _named(session, kind) | {"Content-Length": str(made.size)}
    return FileStream(made.chunks(), 200, headers, ENCODINGS[kind].media_type)


@router.head("/sessions/{session}/recording", include_in_schema=False)
async def recording_head(house: Here, who: Operator, session: SessionId, format: Format = None) -> Response:
    """Which it is, and how long, where it is kept; nothing is made to know that."""
    await _over(house, session)
    one = await _stored(house, session, format)
    if one is not None:
        return Response(headers=_headers(session, one), media_type=ENCODINGS[one.codec].media_type)
    kind = format or "opus"
    answer = Response(headers=_named(session, kind), media_type=ENCODINGS[kind].media_type)
    del answer.headers["Content-Length"]
    return answer


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def upload(request: Request, house: Here, who: Operator, name: FileName) -> Upload:
    """Send a file, as the body; POST /v1/imports then takes it in. It is written as it comes. 413: it is larger than
    API_UPLOAD_MIB; 408: nothing more of it came for 30 s; 503: others are being received, or as much as API_UPLOADS_GIB waits to
    be taken in."""
    most = house.settings.api_upload_mib << 20
    length = request.headers.get("Content-Length", "")
    announced = int(length[:18]) if length.isdigit() else None
    if announced is not None and announced > most:
        raise _too_large(house)
    if _room.locked():
        raise Problem(503, "uploads", f"{_AT_ONCE} files are being received; try again", {"Retry-After": "10"})
    from schemas.archive.uploads import TooLarge, Uploads  # an archive's libraries take half a second

    async with _room:
        uploads = await asyncio.to_thread(Uploads, place_of(house.settings).blobs)
        left = round(house.settings.api_uploads_gib * (1 << 30)) - await uploads.lying() - sum(house.coming.values())
        wanted = min(most, left) if announced is None else announced
        if wanted > left or left <= 0:
            raise _no_room(house)
        mine = object()
        house.coming[mine] = wanted
        try:
            kept, size = await uploads.keep(_body(request), wanted)
        except TooLarge:
            raise (_too_large(house) if wanted == most else _no_room(house)) from None
        except ClientDisconnect:
            raise Problem(400, "broken_off", "the file did not come to its end", _CLOSED) from None
        finally:
            del house.coming[mine]
    if size == 0:
        await uploads.drop(kept)
        raise Problem(422, "empty", "the file is empty")
    about(request, name=name, bytes=str(size))
    return Upload(upload=kept, bytes=size)


@router.post("/imports", status_code=202)
async def take_in(house: Here, who: Operator, ask: ImportAsk) -> JobView:
    """Take a file in that was sent before: an export file comes back as it was; a recording of a call held elsewhere is cut where
    its people fall silent. `result.session` names the session."""
    request = ask.model_dump() | {"name": _fit(ask.name), "captions": ask.captions or ""}
    return await jobs.ask(house, "import", request, who.name)


async def _over(house: House, session: str) -> Story:
    """Problem 404, 409."""
    story = await house.sessions.stories.told(session)
    if not story.over:
        raise Problem(409, "open", f"session {session[:200]!r} goes on; its sound is whole once it has ended")
    return story


async def _stored(house: House, session: str, format: str | None) -> "StoredRecording | None":
    """What is kept of that format; None as `format`: of any."""
    kept = house.sessions.kept
    one = await kept.recording(session) if kept is not None else None
    return one if one is not None and format in (None, one.codec) else None


def _headers(session: str, one: "StoredRecording") -> dict[str, str]:
    """Of the file that is kept: its name is its hash."""
    tag = {"ETag": f'"{one.sha256[:32]}"', "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    return _named(session, one.codec) | tag | {"Content-Length": str(one.bytes)}


_CLOSED = {"Connection": "close"}


def _too_large(house: House) -> Problem:
    most = house.settings.api_upload_mib
    return Problem(413, "too_large", f"a file may have {most} MiB at most (API_UPLOAD_MIB)", _CLOSED)


def _no_room(house: House) -> Problem:
    most = house.settings.api_uploads_gib
    return Problem(
        503,
        "uploads_full",
        f"files that were sent may have {most:g} GiB together until they are taken in (API_UPLOADS_GIB); import those that were "
        "sent, or try again later: what nobody takes in goes after a day",
        _CLOSED | {"Retry-After": "60"},
    )


async def _body(request: Request) -> AsyncIterator[bytes]:
    """Problem 408: nothing more came."""
    chunks = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(_PIECE_WITHIN):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(408, "slow", f"nothing more of the file came for {_PIECE_WITHIN:g} s", _CLOSED) from None
        if chunk:
            yield chunk


def _named(session: str, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{_fit(session)}.{ending}"', "Cache-Control": "no-store"}


def _fit(name: str) -> str:
    """As a file may be called, whatever somebody calls theirs."""
    return _UNFIT.sub("_", one_line(name, 200)).strip(". ")[:120] or "call"
