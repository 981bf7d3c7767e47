"""`antiphon phone dial | transfer | keys | hangup`: ask the running gateway that answers phones."""

import os
from typing import Annotated, Any

import typer

from ops import console
from ops.commands._options import Json, Session
from schemas.errors import AntiphonError, in_words

CallsGateway = Annotated[
    str | None, typer.Option("--url", help="Gateway that has the call; the running stack's when not given.")
]


class NotDone(AntiphonError): ...


def dial(
    to: Annotated[str, typer.Argument(help="sip:user@host, or a number a trunk dials.")],
    agent: Annotated[str, typer.Option(help="Agent that speaks.")] = "",
    trunk: Annotated[str, typer.Option(help="Trunk to dial by; the one that fits when not given.")] = "",
    digits: Annotated[str, typer.Option(help="Keys to press once answered; w waits half a second.")] = "",
    wait: Annotated[float, typer.Option(min=1, max=300, help="Seconds to let it ring.")] = 60.0,
    url: Annotated[str | None, typer.Option(help="Gateway to ask; the running stack's when not given.")] = None,
    json: Json = False,
) -> None:
    """Have a running gateway call somebody.

    \b
    Examples:
      antiphon phone dial sip:alice@192.0.2.10 --agent receptionist
      antiphon phone dial +4940123456 --trunk provider
      antiphon phone dial +4940123456 --digits w1 --wait 30
    """
    console.run(lambda: ring(to, agent, trunk, digits, wait, url, json))


def transfer(
    session: Session,
    to: Annotated[str, typer.Argument(help="sip:user@host or tel:number the phone is to call instead.")],
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Hand a caller on to somebody else.

    Example: antiphon phone transfer SESSION sip:bob@192.0.2.10
    """
    console.run(lambda: hand_on(session, to, url, json))


def keys(
    session: Session,
    digits: Annotated[str, typer.Argument(help="0-9 * # A-D; w waits half a second.")],
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Press keys in a phone call, as the agent's phone.

    Example: antiphon phone keys SESSION 1w42#
    """
    console.run(lambda: press(session, digits, url, json))


def hangup(
    session: Session,
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Hang up a phone call.

    Example: antiphon phone hangup SESSION
    """
    console.run(lambda: hang_up(session, url, json))


async def ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request to the gateway's desk. NotDone says what went wrong, in a sentence."""
    import aiohttp

    from ops.people.entry import HOW_TO_GET_IN, client_token, door
    from schemas.access.tokens import Grant

    base = door(url)
    token = client_token(os.environ.get("ANTIPHON_TOKEN", ""), Grant(operator=True), 300)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=330)) as client,
            client.request(method, base + path, json=body, headers=headers) as answer,
        ):
            refused = answer.status == 401  # by the gateway; what the other phone says stands in `found`
            if answer.content_type == "application/json":
                found: dict[str, Any] = await answer.json()
            else:
                found = {
                    "error": (await answer.text()).strip()[:300] or f"HTTP {answer.status}",
                    "status": answer.status,
                }
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        console.fail(
            f"no gateway answers at {base} ({in_words(error)}); start one with SIP_LISTEN, or give --url",
            console.UNREACHABLE,
        )
    if "error" in found:
        raise NotDone(f"{found['error']}{f'; {HOW_TO_GET_IN}' if refused else ''}")
    return found


async def ring(
    to: str, agent: str, trunk: str, digits: str, wait: float, url: str | None, json: bool
) -> None:  # fmt: skip
    """Have a gateway ring `to`, and say which session it became."""
    if not json:
        console.err.print(f"ringing {to} …", markup=False)
    body = {"to": to, "agent": agent, "trunk": trunk, "digits": digits, "wait": wait}
    found = await ask("POST", url, "/calls", body)
    if json:
        console.emit(found)
    else:
        session = found["session"]
        console.out.print(f"answered: {console.me()} show {session} --follow", markup=False, soft_wrap=True)


async def hand_on(session: str, to: str, url: str | None, json: bool) -> None:
    """Have the phone of a session call `to` instead."""
    found = await ask("POST", url, f"/calls/{session}/transfer", {"to": to})
    left = f"{session} has left for {to}, and did not say whether they are there"
    _tell(found, left if found["status"] == 202 else f"{session} is with {to} now", json)


async def press(session: str, digits: str, url: str | None, json: bool) -> None:
    """Press keys in a phone call."""
    found = await ask("POST", url, f"/calls/{session}/keys", {"digits": digits})
    _tell(found, f"pressed {digits} in {session}", json)


async def hang_up(session: str, url: str | None, json: bool) -> None:
    """End a phone call."""
    found = await ask("DELETE", url, f"/calls/{session}")
    _tell(found, f"{session} is hung up", json)


def _tell(found: dict[str, Any], sentence: str, json: bool) -> None:
    if json:
        console.emit(found)
    else:
        console.out.print(sentence, markup=False, soft_wrap=True)
