"""One errand at LiveKit's API: what it says no with is a problem of ours, in a sentence."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from livekit import api

from api.problems import Problem
from schemas.access.livekit import Access
from schemas.access.livekit_errors import LiveKitError, explain
from schemas.errors import in_words

_AGAIN = {"Retry-After": "2"}


@asynccontextmanager
async def asking(access: Access) -> AsyncIterator[api.LiveKitAPI]:
    """Problem 404: it has no such room, participant, track or dispatch; 409: it does not do that; 503: it can't be reached, or
    refuses our key."""
    try:
        async with access.client() as livekit:
            yield livekit
    except api.TwirpError as error:
        raise _refusal(error, access.url) from None
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise away(explain(f"IO error: {in_words(error)}", access.url)) from None


def away(error: LiveKitError) -> Problem:
    """LiveKit can't be used now."""
    return Problem(503, "livekit_away", str(error), _AGAIN, told="LiveKit can't be used now")


def _refusal(error: api.TwirpError, url: str) -> Problem:
    said = (error.message or error.code)[:200]
    if error.status == 404:
        return Problem(404, "missing", f"LiveKit says: {said}")
    if error.status in (401, 403):
        return away(explain(f"{error.status} {said}", url))
    if error.status >= 500:
        return Problem(503, "livekit_away", f"LiveKit fails: {said}", _AGAIN)
    return Problem(409, "refused", f"LiveKit says: {said}")
