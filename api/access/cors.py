"""What pages of other origins may ask and read here, where API_ALLOWED_ORIGINS names them. `Readable` stands around the guard:
they read its refusals, too; `Beforehand` within it: what browsers ask beforehand is looked at and counted as all else."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, answer

__all__ = ["Beforehand", "Readable"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "If-Range", "Last-Event-ID", "Range",
)  # fmt: skip
"""What such pages may send: whatever a route looks at."""
_ASKED, _TOLD = "access-control-request-method", b"access-control-allow-methods"


def _options(origins: Sequence[str]) -> dict[str, Any]:
    return {
        "allow_origins": origins,
        "allow_methods": _METHODS,
        "allow_headers": _HEADERS,
        "expose_headers": ["Content-Disposition", "Content-Range", "Date", "ETag", "Retry-After", "WWW-Authenticate"],
        "max_age": 600,
    }


class Readable(CORSMiddleware):
    """Says on every answer whether the page may read it."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(app, **_options(origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.simple_response(scope, receive, send, request_headers=Headers(scope=scope))
        else:
            await self.app(scope, receive, send)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        if any(
            name == _TOLD for name, _ in message.get("headers", ())
        ):  # it was asked beforehand, and that was the answer
            await send(message)
        else:
            await super().send(message, send, request_headers)


class Beforehand(CORSMiddleware):
    """Answers browsers that ask whether a page may ask; nobody shows a key for that."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(app, **_options(origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        asks = scope["type"] == "http" and scope["method"] == "OPTIONS" and "origin" in headers and _ASKED in headers
        answering: ASGIApp = self._answer(headers) if asks else self.app
        await answering(scope, receive, send)

    def _answer(self, headers: Headers) -> Response:
        if not self.is_allowed_origin(headers["origin"]):
            return answer(Problem(403, "origin", "pages of this origin may ask nothing here"))
        told = self.preflight_response(request_headers=headers)
        if told.status_code == 200:
            return told
        return answer(
            Problem(
                400, "beforehand", f"pages may ask by {', '.join(_METHODS)}, and send {', '.join(_HEADERS)} and no more"
            )
        )
