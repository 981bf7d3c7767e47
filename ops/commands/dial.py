"""`antiphon dial`, `transfer`, `keys`, `hangup`: ask the running gateway that answers phones."""

import os
from typing import Any

import aiohttp

from ops import console
from ops.commands.call import gateway_url
from ops.people.entry import HOW_TO_GET_IN, client_token
from schemas.access.tokens import Grant
from schemas.errors import AntiphonError, in_words


class NotDone(AntiphonError): ...


def door(url: str | None) -> str:
    """http://host:port of the gateway to ask: `url`, else the running stack's first, else GATEWAY_HOST and GATEWAY_PORT."""
    url = gateway_url(url)
    return url.replace("ws://", "http://", 1).replace("wss://", "https://", 1).removesuffix("/ws").rstrip("/")


async def ask(method: str, url: str | None, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request to the gateway's desk. NotDone says what went wrong, in a sentence."""
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


async def dial(
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


async def transfer(session: str, to: str, url: str | None, json: bool) -> None:
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
