"""Who gets in by HTTP: by the host it was asked for, the page it comes from, and its token."""

import logging
import time
from collections.abc import Callable

from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler

from schemas.access.tokens import Grant, TokenRefused, check_secret, verify
from schemas.errors import SettingsError
from schemas.process.hosts import host_names, is_loopback, is_ours
from schemas.process.origins import Origins, pages_of

log = logging.getLogger("antiphon.gateway.admission")

_NO_NAME = "nobody answers by this name"
_ANYTHING = Grant(join=True)
"""Of clients on this machine, where nobody asks for a token."""


class TurnedAway(Exception):
    """`code`: of the error message; `close`: of the WebSocket; `detail`: for the log, what strangers are not told."""

    def __init__(self, code: str, message: str, close: int = WSCloseCode.POLICY_VIOLATION, *, detail: str = "") -> None:
        super().__init__(message)
        self.code, self.close, self.detail = code, close, detail


class Admission:
    """`host`: what the server listens on; `secret`: GATEWAY_TOKEN_SECRET, asked for of everybody where it is set; `origins`: of
    pages let in beside the gateway's own host ("*": all); `hosts`: names that, without a secret, count as this machine's;
    `notes`: whether one more refusal may stand in the log; `now`: s since 1970, by which tokens are judged.

    SettingsError: a secret too short, or none though strangers can reach us."""

    def __init__(
        self,
        host: str,
        *,
        secret: str = "",
        origins: str = "",
        hosts: str = "",
        notes: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
    ):
        if secret:
            check_secret(secret)
        elif not is_loopback(host):
            raise SettingsError(
                f"GATEWAY_HOST={host} can be reached from outside, so clients need tokens: set GATEWAY_TOKEN_SECRET to "
                "32 characters or more (openssl rand -hex 32), or GATEWAY_HOST to 127.0.0.1"
            )
        self._secret = secret
        self._origins = Origins.of(origins)
        self._hosts = host_names(hosts)
        self._notes, self._now = notes, now

    @web.middleware
    async def check_host(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Of every route: where nobody asks for a token, nobody comes by a name that is not ours."""
        asked = request.headers.getall("Host", [])
        if not self._secret and not is_ours(asked, self._hosts):
            if self._notes():  # a page may ask as often as it likes
                log.warning(
                    "a request was refused: asked for as %r, which is not a name of this machine's loopback; add it to "
                    "GATEWAY_ALLOWED_HOSTS, or set GATEWAY_TOKEN_SECRET so that clients need tokens",
                    ", ".join(asked)[:200],
                )
            return web.json_response({"error": {"code": "host", "message": _NO_NAME}}, status=403)
        return await handler(request)

    def let_in(self, request: web.Request) -> Grant:
        """What this client may. TurnedAway: its page or its token is not one we let in, or is for who only listens."""
        grant = self._known(request)
        if grant.listen:
            raise TurnedAway("token", "this token is for listening to a session (/listen), and for nothing else")
        return grant

    def let_listen(self, request: web.Request) -> str:
        """Which session this client may listen to: the token's; without a secret, whichever it asks for."""
        grant, asked = self._known(request), request.query.get("session", "")
        if not self._secret:
            return asked
        if not grant.listen:
            raise TurnedAway("token", "this token does not allow to listen; it needs `listen`: the session's id")
        if asked not in ("", grant.listen):
            raise TurnedAway("token", "the token is for listening to another session")
        return grant.listen

    def _known(self, request: web.Request) -> Grant:
        origin = request.headers.get("Origin")
        if not self._origins.may(origin, request.headers.get("Sec-Fetch-Site"), request.host):
            detail = f"{pages_of(origin)} may not connect; add the origin to GATEWAY_ALLOWED_ORIGINS"
            raise TurnedAway("origin", "pages of this origin may not connect", detail=detail)
        if not self._secret:
            return _ANYTHING
        token = self.token_of(request)
        if not token:
            raise TurnedAway("token", "a token is required: ?token=… or Authorization: Bearer …")
        try:
            return verify(self._secret, token, self._now())
        except TokenRefused as error:
            raise TurnedAway("token", str(error)) from None

    @property
    def asks_for_tokens(self) -> bool:
        return bool(self._secret)

    def token_of(self, request: web.Request) -> str:
        """The client's token; "" where nobody asks for one."""
        return (_bearer(request) or request.query.get("token", "")) if self._secret else ""

    def let_operator_in(self, request: web.Request) -> None:
        """Who may have us dial: a program whose token says `operator`; without a secret, any on this machine; no web page."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            raise web.HTTPForbidden(text="web pages may not ask for this")
        if not self._secret:
            return
        try:
            grant = verify(self._secret, _bearer(request), self._now())
        except TokenRefused as error:
            raise web.HTTPUnauthorized(text=str(error)) from None
        if not grant.operator:
            raise web.HTTPForbidden(text="this token lacks the claim `operator`: true")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
