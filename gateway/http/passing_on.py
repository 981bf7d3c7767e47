"""Who listens and has come to another gateway than the one with the session is passed on there: where several gateways
stand behind one address (GATEWAY_PUBLIC_URL), that address leads to any of them.

What passes goes over the deployment's own network, by the owner's `own_url`, with the listener's own token. It is passed on
once."""

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from gateway.http.admission import TurnedAway
from gateway.sessions.house import GatewayBus
from schemas.errors import BusError

PASSED_ON = "Antiphon-Passed-On"
"""Header of a request that a gateway passes on."""
_LOG_WITHIN = 1.0  # seconds
_CONNECTED_WITHIN = 3.0  # seconds
_READ_WITHIN = 3.0  # seconds, of each frame
_LARGEST = 65_536

End = tuple[int, str]
"""Code and reason of a close."""


async def owner_of(bus: GatewayBus, session: str, headers: Mapping[str, str], own: str) -> str | None:
    """Where to pass on who wants to listen to a session that `own`, this gateway, does not have: the owner's own URL. None:
    nowhere."""
    if PASSED_ON in headers:
        return None
    try:
        async with asyncio.timeout(_LOG_WITHIN):
            info, gateways = await bus.info(session), await bus.gateways()
    except (TimeoutError, BusError):
        return None
    if info is None or info.state == "closed" or info.owner == own:
        return None
    return next((one.own_url for one in gateways if one.name == info.owner), None)


async def pass_on(near: web.WebSocketResponse, url: str, token: str, own: str) -> End | None:
    """Give `near` what the gateway at `url` says to it, until that closes: how it did. None: `near` does not read, or is gone.

    TurnedAway: that gateway can't be reached from here."""
    headers = {PASSED_ON: own} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with aiohttp.ClientSession() as http:
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN):
                far = await http.ws_connect(url, headers=headers, max_msg_size=_LARGEST)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise TurnedAway(
                "over", "this session goes on at another gateway, which can't be reached from here",
                detail=f"{url} can't be reached from here: give each gateway an address of its own in GATEWAY_PUBLIC_URL, or let "
                "them reach each other",
            ) from None  # fmt: skip
        async with far:
            while (frame := await far.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                try:
                    async with asyncio.timeout(_READ_WITHIN):
                        await (near.send_str if frame.type is WSMsgType.TEXT else near.send_bytes)(frame.data)
                except (ConnectionError, RuntimeError, TimeoutError):
                    return None
            code = far.close_code or WSCloseCode.GOING_AWAY
            lost = code == WSCloseCode.ABNORMAL_CLOSURE  # which nobody can say in a close
            return WSCloseCode.GOING_AWAY if lost else code, str(frame.extra or "")
