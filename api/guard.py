"""What every request passes before a route sees it, and every answer on its way out; pure ASGI, so that streams stay streams.

In: by which name it was asked for, which page asks, how often, how much it brings. Out: headers, figures, the record.
"""

import logging
import time
from collections.abc import Mapping
from email.utils import formatdate

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import body
from api.access.gate import other_name
from api.access.headers import everywhere, of_kind
from api.access.limits import WRONG
from api.access.record import record
from api.access.who import LOOKS
from api.house import House
from api.problems import Problem, answer
from schemas.access.allowance import Allowance, Ledger
from schemas.errors import BusError
from schemas.process.connections import proxies_of, spoken_for
from schemas.process.hosts import host_names, is_ours
from schemas.process.origins import Origins, pages_of

log = logging.getLogger("antiphon.api")

_NOTED = Allowance(a_minute=6, at_once=20)
"""Refusals whose reason stands in the log."""
_UNCOUNTED = ("/health", "/ready")
_LOGIN = "/v1/login"
_TOGETHER = ("/v1/", "/token", "/api/token")
"""What is counted by all processes together; the rest costs little."""


class Guard:
    """Around the whole application. SettingsError: API_PROXIES names what is no address."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app, self._house = app, house
        settings = house.settings
        self._proxies = proxies_of(settings.api_proxies, "API_PROXIES")
        self._hosts = host_names(settings.api_allowed_hosts)
        self._origins = Origins.of(settings.api_allowed_origins, settings.api_public_url)
        self._headers = _raw(everywhere(settings))
        self._noted = Ledger()
        self._dated = (0, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.address = self._address(request)
        out = _Out(self, request, send)
        try:
            await self._check_host(request)
            self._check_page(request)
            await self._check_often(request)
            received = await body.read(scope, receive)
        except Problem as problem:
            self._house.figures.refused.labels(problem.code).inc()
            await answer(problem)(scope, receive, out)
            return
        except ClientDisconnect:
            return
        if (visitor := scope["state"].get("visitor")) is not None:
            visitor.begin()
        with self._house.figures.attended():
            try:
                await self._app(scope, received, out)
            except Exception:
                if not out.whole:  # else it was logged, and answered
                    raise

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        return spoken_for(peer, request.headers.getlist("X-Forwarded-For"), self._proxies)

    async def _check_host(self, request: Request) -> None:
        """Where nobody asks for a key, nobody comes by a name that is not ours. (As far as is known: the gate, which reads the
        keys anew, looks at it, too.)"""
        asked = request.headers.getlist("Host")
        request.state.by_our_name = is_ours(asked, self._hosts)
        if request.state.by_our_name or not self._house.gate.may_be_open():
            return
        if await self._is_open():
            self._note(
                f"asked for as {', '.join(asked)[:200]!r}, which is not a name of this machine's loopback; add it to "
                "API_ALLOWED_HOSTS, or make a key (antiphon key add) so that everybody needs one"
            )
            raise other_name()

    async def _is_open(self) -> bool:
        """As the log says now; while it says nothing, as it may be."""
        try:
            return bool(self._house.waits_for) or await self._house.gate.is_open()
        except BusError:
            return True

    def _check_page(self, request: Request) -> None:
        """A page of somebody else's changes nothing here, whoever's browser shows it."""
        if request.method in LOOKS:
            return
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if not self._origins.may(origin, site, request.headers.get("Host", "")):
            self._note(f"{pages_of(origin)} may change nothing here; add the origin to API_ALLOWED_ORIGINS")
            raise Problem(403, "origin", "pages of this origin may change nothing here")

    def _note(self, why: str) -> None:
        """In the log, what strangers are not told, unless they ask too often: a page may, as often as it likes."""
        if not self._noted.spend("", time.monotonic_ns() // 1000, _NOTED):
            log.warning("a request was refused: %s", why)

    async def _check_often(self, request: Request) -> None:
        path = request.scope["path"]
        if path not in _UNCOUNTED:
            together = path.startswith(_TOGETHER) and not self._house.waits_for
            await self._house.limits.spend(f"address {request.state.address}", together=together)

    async def going_out(self, request: Request, message: Message, began: float) -> None:
        """The head of an answer."""
        said = dict(message["headers"])
        kind, path = said.get(b"content-type", b"").decode("latin-1"), request.scope["path"]
        ours = (*self._headers, (b"date", self._date()), *_raw(of_kind(kind, path)))
        message["headers"] += [pair for pair in ours if pair[0] not in said]
        status = message["status"]
        self._house.figures.answered(request.scope, status, time.monotonic() - began)
        if status == 401 and ("Authorization" in request.headers or "ticket" in request.query_params or path == _LOGIN):
            try:
                await self._house.limits.spend(f"address {request.state.address}", WRONG)
            except Problem:
                pass  # the next one is told
        await record(request, status, self._house.bus)

    def _date(self) -> bytes:
        """By the log's clock, as all that an answer tells: who reads it counts ages from there."""
        now = int(self._house.clock.now())
        if now != self._dated[0]:
            self._dated = (now, formatdate(now, usegmt=True).encode())
        return self._dated[1]


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


class _Out:
    """An answer on its way."""

    def __init__(self, guard: Guard, request: Request, send: Send) -> None:
        self._guard, self._request, self._send = guard, request, send
        self._at = time.monotonic()
        self.whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            message["headers"] = list(message["headers"])
            await self._guard.going_out(self._request, message, self._at)
        await self._send(message)
        self.whole = message["type"] == "http.response.body" and not message.get("more_body", False)
