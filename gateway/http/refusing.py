"""How a WebSocket is told that it isn't let in."""

import asyncio
import contextlib

from aiohttp import web

from gateway.http.admission import TurnedAway
from schemas.client import ErrorMessage, to_json

_GRACE = 3.0  # seconds it has to take its leave


async def refuse(socket: web.WebSocketResponse, refusal: TurnedAway) -> None:
    """Say why, and close."""
    message = str(refusal)
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await socket.send_str(to_json(ErrorMessage(code=refusal.code, message=message, fatal=True)))
        async with asyncio.timeout(_GRACE):
            await socket.close(code=refusal.close, message=message.encode()[:120])
