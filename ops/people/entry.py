"""How our own clients get into a gateway: with the token they are given, else with one that GATEWAY_TOKEN_SECRET signs."""

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
