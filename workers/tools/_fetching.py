"""An HTTP answer, read as far as anybody wants it."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from workers.agents import ToolError

__all__ = ["fetched"]

AT_MOST = 2 << 20
"""Bytes of an answer."""


async def fetched(client: httpx2.AsyncClient, method: str, url: str, **options: Any) -> Any:
    """The JSON of an answer, or its text. ToolError: it is no success, or too much, or didn't come; redirects are not
    followed."""
    host = httpx2.URL(url).host
    try:
        async with client.stream(method, url, **options) as response:
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > AT_MOST:
                    raise ToolError(f"{host} answered more than {AT_MOST >> 20} MB")
    except httpx2.HTTPError as error:
        raise ToolError(f"{host} can't be reached ({type(error).__name__})") from None
    text = body.decode("utf-8", "replace")
    if 300 <= response.status_code < 400:
        raise ToolError(f"{host} sends on to another address ({response.status_code}), which is not followed")
    if response.status_code >= 400:
        raise ToolError(f"{host} answered {response.status_code}: {' '.join(text.split())[:300]}")
    if not _is_text(response.headers):
        return body
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_text(headers: Mapping[str, str]) -> bool:
    kind = headers.get("content-type", "text/plain").lower()
    return any(word in kind for word in ("json", "text", "xml", "javascript", "urlencoded"))
