"""`antiphon token`: what lets a client into a gateway that can be reached from outside, or a person into a LiveKit room."""

import secrets
from datetime import timedelta
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json
from schemas.errors import SettingsError


def token(
    agent: Annotated[str, typer.Option(help="The only agent it is for; left to the client when not given.")] = "",
    room: Annotated[str, typer.Option(help="The only room it is for.")] = "",
    participant: Annotated[str, typer.Option(help="Who its bearer is.")] = "",
    livekit: Annotated[
        bool, typer.Option("--livekit", help="For a room of the LiveKit server; prints its address too.")
    ] = False,
    hours: Annotated[float, typer.Option(min=0.001, help="How long it is good for.")] = 1.0,
    json: Json = False,
) -> None:
    """Make a client's token, with --livekit for a LiveKit room.

    The gateway's is signed with GATEWAY_TOKEN_SECRET, which must be its own; a gateway on loopback asks for none. A room's is
    signed with LIVEKIT_API_SECRET, or the key of `antiphon up --livekit`; any LiveKit client takes it.

    Example: antiphon token --livekit --room lobby --participant ann
    """
    (_room_token if livekit else _client_token)(agent, room, participant, hours, json)


def _client_token(agent: str, room: str, participant: str, hours: float, json: bool) -> None:
    from schemas.access.tokens import Grant, mint
    from schemas.config.settings import load

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


def _room_token(agent: str, room: str, participant: str, hours: float, json: bool) -> None:
    """The address for browsers on one line, the token on the next. Where the room is made by coming in with it, `agent` (else
    the gateways' LIVEKIT_AGENT_NAME, if they have one) comes along."""
    from ops.stack.here import livekit_access
    from schemas.access.livekit import dispatches
    from schemas.config.settings import load

    try:
        if not room:
            raise SettingsError("which room? give --room NAME; it is made when somebody comes in")
        settings = load()
        livekit = livekit_access(settings)
    except SettingsError as error:
        console.fail(str(error), console.USAGE)
    identity = participant or f"guest-{secrets.token_hex(3)}"
    agents = dispatches(settings.livekit_agent_name, agent)
    made = livekit.person_token(room, identity, timedelta(hours=hours), agents)
    url = settings.livekit_public_url or livekit.url
    if json:
        console.emit({"url": url, "token": made, "room": room, "participant": identity, "seconds": hours * 3600})
    else:
        print(url, made, sep="\n")
