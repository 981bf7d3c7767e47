"""`antiphon token`: what lets a client into a gateway that can be reached from outside."""

from gateway.tokens import Grant, mint
from ops import console
from schemas.errors import SettingsError
from schemas.settings import load


def token(agent: str, room: str, participant: str, hours: float, json: bool) -> None:
    try:
        secret = load().gateway_token_secret.get_secret_value()
        if not secret:
            raise SettingsError("GATEWAY_TOKEN_SECRET is not set; give the one the gateway has (openssl rand -hex 32)")
        made = mint(secret, Grant(room=room, participant=participant, agent=agent), hours * 3600)
    except SettingsError as error:
        console.fail(str(error), console.USAGE)
    if json:
        console.emit({"token": made, "seconds": hours * 3600})
    else:
        print(made)
