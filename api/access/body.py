"""What a request may bring along: so much, within so many seconds. It is read before anything is done, a large one not at all."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from api.problems import Problem

LARGEST_BODY = 262_144
"""Bytes: an agent file is the largest thing that is sent here."""
BODY_WITHIN = 10.0
"""Seconds."""
UPLOADS = "/v1/uploads"
"""Where files are sent to, and only those."""
_CLOSED = {"Connection": "close"}
"""What comes of it yet is not read."""


async def read(scope: Scope, receive: Receive) -> Receive:
    """The request's body, to be received again; of an upload nothing: its route reads it, piece by piece. Problem 413, 400, 408;
    ClientDisconnect."""
    length = _announced(scope)
    if length is not None and _chunked(scope):
        raise Problem(400, "length", "a body comes with Content-Length or in chunks, not with both", _CLOSED)
    if scope["path"] == UPLOADS and scope["method"] == "POST":
        return receive
    if length is not None and length > LARGEST_BODY:
        raise _too_large()
    if length is None and not _chunked(scope):
        return receive  # there is none
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False)
                if size > LARGEST_BODY:
                    raise _too_large()
    except TimeoutError:
        raise Problem(408, "slow", f"the body of the request did not come within {BODY_WITHIN:g} s", _CLOSED) from None
    whole: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def _announced(scope: Scope) -> int | None:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > 15:
        raise Problem(400, "length", "Content-Length is a number of bytes, once", _CLOSED)
    return int(values[0])


def _chunked(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _too_large() -> Problem:
    return Problem(413, "too_large", f"a request may bring {LARGEST_BODY // 1024} KiB at most", _CLOSED)
