"""An endpoint's answer: opened, read as far as it is wanted, and understood if it can be."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

__all__ = ["json_value", "opened", "read_some"]


async def opened(asked: Any) -> "httpx2.Response":
    """The answer to a request made by `….with_streaming_response`, its body unread: read it, and close it. ProviderError for a
    refusal."""
    from openai import OpenAIError

    try:
        response: httpx2.Response = (await asked.__aenter__()).http_response
    except OpenAIError as error:
        raise error.__cause__ or ConnectionError(str(error)) from None
    return response


async def read_some(response: "httpx2.Response", most: int) -> bytes:
    """The body, or its first `most` bytes."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= most:
            break
    return bytes(body[:most])


def json_value(body: str | bytes) -> Any:
    """What it says as JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
