"""A client of the `openai` package, which takes two seconds to import: only where an endpoint is asked is this imported."""

import contextlib
from typing import Any

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from workers._answers import read_some
from workers._refusals import Endpoint, refusal

__all__ = ["Careful", "made"]

_HOPS = 4
_ERROR_BYTES = 64 << 10


class Careful(DefaultAsyncHttpxClient):
    """Redirects that keep the request are followed on the same host; whatever else is no success is refused here, before
    anybody reads all of it."""

    def __init__(self, endpoint: Endpoint, **options: Any):
        super().__init__(follow_redirects=False, **options)
        self._endpoint = endpoint

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if not self._endpoint.key:
            request.headers.pop("Authorization", None)
        response = await super().send(request, **options)
        hops = 0
        while response.status_code in (307, 308) and _stays(response) and hops < _HOPS:
            await response.aclose()
            assert response.next_request is not None
            response = await super().send(response.next_request, **options)
            hops += 1
        if response.status_code >= 300:
            body = b""
            try:
                with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError):
                    body = await read_some(response, _ERROR_BYTES)
            finally:
                await response.aclose()
            raise refusal(self._endpoint, response.status_code, response.headers, body.decode("utf-8", "replace"))
        return response


def _stays(response: httpx2.Response) -> bool:
    following = response.next_request
    return following is not None and following.url.host == response.request.url.host


def made(url: httpx2.URL, key: str, http: Careful, timeout: httpx2.Timeout) -> AsyncOpenAI:
    """A client that asks once. `url`: its query goes with each request; `key`: "" for none."""
    return AsyncOpenAI(
        base_url=url.copy_with(query=None),
        default_query=dict(url.params),
        api_key=key or "none",  # without one it would show OPENAI_API_KEY to whom that isn't for
        max_retries=0,
        timeout=timeout,
        http_client=http,
    )
