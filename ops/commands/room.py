"""`antiphon room join | token`: the agent, or a person, comes into a LiveKit room."""

import secrets
from datetime import timedelta
from typing import Annotated

import typer

from ops import console
from ops.commands._options import GatewayUrl, Hours, Json
from schemas.errors import SettingsError, in_words


def join(
    room: Annotated[str, typer.Argument(help="A LiveKit room that exists.")],
    agent: Annotated[str, typer.Option(help="Which agent goes there.")] = "",
    url: GatewayUrl = None,
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token with `join`, where the gateway asks for one.")
    ] = "",
    json: Json = False,
) -> None:
    """Send the agent into a LiveKit room, without a dispatch.

    Example: antiphon room join lobby --agent receptionist
    """
    console.run(lambda: send_agent(room, agent, url, token, json))


def token(
    room: Annotated[str, typer.Argument(help="The room it is for; it is made when somebody comes in.")],
    agent: Annotated[str, typer.Option(help="Which agent comes along; the room's usual one when not given.")] = "",
    participant: Annotated[str, typer.Option(help="Who its bearer is; a guest when not given.")] = "",
    hours: Hours = 1.0,
    json: Json = False,
) -> None:
    """Make a person's token for a LiveKit room.

    The server's address for browsers on one line, the token on the next; any LiveKit client takes them. It is signed with
    LIVEKIT_API_SECRET, or the key of `antiphon up --livekit`. Clients of the WebSocket need another: `antiphon token`.

    \b
    Examples:
      antiphon room token lobby
      antiphon room token lobby --participant ann --agent receptionist
      antiphon room token lobby --hours 8 --json
    """
    room_token(room, agent, participant, hours, json)


async def send_agent(room: str, agent: str, url: str | None, token: str, json: bool) -> None:
    """Ask the gateway; CallError says why it doesn't go. Ends with 3 where no gateway is."""
    import aiohttp

    from ops.people.entry import HOW_TO_GET_IN, client_token, door
    from ops.people.person import CallError
    from schemas.access.tokens import Grant

    base = door(url)
    token = client_token(token, Grant(room=room, agent=agent, join=True))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), headers=headers) as http,
            http.post(f"{base}/join", json={"room": room, "agent": agent}) as answer,
        ):
            found = await answer.json()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        console.fail(f"{base}: no gateway answers there as expected ({in_words(error)})", console.UNREACHABLE)
    if "session" not in found:
        refusal = found.get("error", {})
        advice = f"; {HOW_TO_GET_IN}" if refusal.get("code") == "token" else ""
        raise CallError(f"{refusal.get('message') or found}{advice}")
    if json:
        console.emit({"session": found["session"], "room": room})
    else:
        console.out.print(f"session {found['session']}: the agent is in room {room}", soft_wrap=True)


def room_token(room: str, agent: str, participant: str, hours: float, json: bool) -> None:
    """The address for browsers on one line, the token on the next. Where the room is made by coming in with it, `agent` (else
    the gateways' LIVEKIT_AGENT_NAME, if they have one) comes along."""
    from ops.stack.here import livekit_access
    from schemas.access.livekit import dispatches
    from schemas.config.settings import load

    try:
        if not room:
            raise SettingsError("which room? give its name; it is made when somebody comes in")
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
