"""How our own clients get into a gateway: which one it is, and with what they are let in: the token they are given, else one that
GATEWAY_TOKEN_SECRET signs."""

from urllib.parse import urlsplit

from ops.stack.here import running
from schemas.access.tokens import Grant, mint
from schemas.config.settings import load
from schemas.errors import SettingsError

HOW_TO_GET_IN = (
    "set GATEWAY_TOKEN_SECRET here to the gateway's own, or ANTIPHON_TOKEN to a token of it (antiphon token)"
)

_GOOD_FOR = 3600.0  # seconds: a caller comes back with it when the line was lost


def client_token(given: str, grant: Grant, seconds: float = _GOOD_FOR) -> str:
    """`given`; where it is "", one for `grant`, signed with the settings' secret; "" where they have none. SettingsError: the
    secret is too short."""
    secret = "" if given else load().gateway_token_secret.get_secret_value()
    return given or (mint(secret, grant, seconds) if secret else "")


def gateway_url(given: str | None) -> str:
    """The URL given, else the running stack's first gateway, else the configured one. SettingsError: what is given is none."""
    if given:
        return websocket_url(given)
    stack = running()
    if stack:
        return str(stack["gateways"][0])
    settings = load()
    host = "127.0.0.1" if settings.gateway_host in ("0.0.0.0", "::") else settings.gateway_host
    return f"ws://{f'[{host}]' if ':' in host else host}:{settings.gateway_port}/ws"


_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss", "": "ws"}


def websocket_url(given: str) -> str:
    """A gateway's address however somebody writes it: http(s):// or ws(s)://, or no more than host:port; /ws unless there is a
    path. SettingsError: it is none."""
    written = given.strip()
    try:
        parts = urlsplit(written if "://" in written else f"//{written}")
        scheme = _SCHEMES[parts.scheme]
        if not parts.hostname or (not parts.scheme and parts.port is None):
            raise ValueError
    except (ValueError, KeyError):
        raise SettingsError(
            f"--url {given}: no address of a gateway; expected host:port, http(s)://host[:port] or ws(s)://host[:port]/ws"
        ) from None
    path = "/ws" if parts.path in ("", "/") else parts.path
    return f"{scheme}://{parts.netloc}{path}{f'?{parts.query}' if parts.query else ''}"


def door(url: str | None) -> str:
    """http://host:port of the gateway to ask: `url`, else the running stack's first, else GATEWAY_HOST and GATEWAY_PORT."""
    url = gateway_url(url)
    return url.replace("ws://", "http://", 1).replace("wss://", "https://", 1).removesuffix("/ws").rstrip("/")
