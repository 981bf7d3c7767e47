"""How our own clients get into a gateway: which one it is, and with what they are let in: the token they are given, else one that
GATEWAY_TOKEN_SECRET signs."""

from ops.stack.here import running
from schemas.access.tokens import Grant, mint
from schemas.config.settings import load

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
    """The URL given, else the running stack's first gateway, else the configured one."""
    if given:
        return given
    stack = running()
    if stack:
        return str(stack["gateways"][0])
    settings = load()
    host = "127.0.0.1" if settings.gateway_host in ("0.0.0.0", "::") else settings.gateway_host
    return f"ws://{f'[{host}]' if ':' in host else host}:{settings.gateway_port}/ws"


def door(url: str | None) -> str:
    """http://host:port of the gateway to ask: `url`, else the running stack's first, else GATEWAY_HOST and GATEWAY_PORT."""
    url = gateway_url(url)
    return url.replace("ws://", "http://", 1).replace("wss://", "https://", 1).removesuffix("/ws").rstrip("/")
