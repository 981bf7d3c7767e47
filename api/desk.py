"""Which gateway has a session, and what is asked of that gateway itself, by HTTP: its own phones are in its hands alone."""

import json
from typing import Any, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp

from api.problems import Problem, missing, over
from schemas.access.tokens import Grant, mint
from schemas.bus import Advertising, GatewaySeen, Reading
from schemas.config.settings import Settings
from schemas.errors import in_words

PATIENCE = 10.0
"""Seconds a gateway may take for what is done at once."""
_GOOD_FOR = 60
"""Seconds of the token we show; it is looked at once."""
_AGAIN = {"Retry-After": "2"}


class Log(Reading, Advertising, Protocol):
    """Who has which session, and where they are."""


async def holder(log: Log, session: str) -> GatewaySeen:
    """The gateway that has the session. Problem 404: there is no such session; 409: it has ended; 503: its gateway is gone."""
    info = await log.info(session)
    if info is None:
        raise missing("session", session)
    if info.state != "open":
        raise over(session)
    found = next((one for one in await log.gateways() if one.name == info.owner), None)
    if found is None:
        said = f"the gateway of session {session!r} is not there; if another takes it over, it does so in seconds"
        raise Problem(503, "no_gateway", said, _AGAIN)
    return found


async def ask(
    settings: Settings,
    now: float,
    gateway: GatewaySeen,
    method: str,
    path: str,
    body: Any = None,
    seconds: float = PATIENCE,
) -> dict[str, Any]:
    """What the gateway answers, within `seconds`; `now`: by the log's clock; `path`: under its address, quoted. Problem 404: it
    has no such call; 422: it takes the request for none; 502 not_taken: the other side said no; 503: it can't be asked, or has no
    phones."""
    secret = settings.gateway_token_secret.get_secret_value()
    headers = {"Authorization": f"Bearer {mint(secret, Grant(operator=True), _GOOD_FOR, now)}"} if secret else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as http,
            http.request(
                method, _http(gateway.own_url) + path, json=body, headers=headers, allow_redirects=False
            ) as answer,
        ):
            text = await answer.text()
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        said = (
            f"gateway {gateway.name} does not answer ({in_words(error)}); is it reachable from here by its own address?"
        )
        raise Problem(503, "gateway_away", said, _AGAIN) from None
    if status in (401, 403):
        said = f"gateway {gateway.name} refuses us: GATEWAY_TOKEN_SECRET must be the same for the API and all gateways"
        raise Problem(503, "gateway_away", said)
    return _read(gateway, status, text)


def call_path(session: str, what: str = "") -> str:
    """Of a call at the desk, or of something done to it."""
    return f"/calls/{quote(session, safe='')}" + (f"/{what}" if what else "")


def _read(gateway: GatewaySeen, status: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem(503, "gateway_away", f"gateway {gateway.name} answers {status}, and nothing we know")
    if "error" not in found:
        return found
    said = str(found["error"])
    if status == 400:
        raise Problem(422, "form", said)
    if status == 503:
        raise Problem(503, "no_phones", said)
    if found.get("status") == 404:
        raise Problem(404, "missing", said)
    raise Problem(502, "not_taken", said)


def _http(url: str) -> str:
    """Of a gateway's WebSocket URL: where its other routes are."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/ws").rstrip("/"), "", ""))
