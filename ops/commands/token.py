"""`antiphon token`: what lets a client into a gateway that can be reached from outside."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import Hours, Json
from schemas.errors import SettingsError


def token(
    agent: Annotated[str, typer.Option(help="The only agent it is for; left to the client when not given.")] = "",
    room: Annotated[str, typer.Option(help="The only room it is for.")] = "",
    participant: Annotated[str, typer.Option(help="Who its bearer is.")] = "",
    livekit: Annotated[bool, typer.Option("--livekit", hidden=True, help="Now `antiphon room token`.")] = False,
    hours: Hours = 1.0,
    json: Json = False,
) -> None:
    """Make a client's token for the gateways.

    Whoever calls by WebSocket has it with them. It is signed with GATEWAY_TOKEN_SECRET, which must be the gateways' own; a
    gateway on loopback asks for none. Persons who go into a LiveKit room need another: `antiphon room token`.

    Example: antiphon token --agent receptionist --participant ann
    """
    if livekit:
        from ops.cli import tell_moved
        from ops.commands.room import room_token

        tell_moved("antiphon token --livekit --room ROOM", "antiphon room token ROOM")
        room_token(room, agent, participant, hours, json)
    else:
        _client_token(agent, room, participant, hours, json)


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
