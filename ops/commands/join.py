"""`antiphon join`: a gateway goes into a LiveKit room that somebody names."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import GatewayUrl, Json
from schemas.errors import in_words


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

    Example: antiphon join lobby --agent receptionist
    """
    console.run(lambda: send_agent(room, agent, url, token, json))


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
