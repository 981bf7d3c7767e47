"""What a WebSocket client sends, frame by frame: read no faster than it may come, obeyed, or answered with what is wrong."""

import asyncio
import json
from typing import Any, Literal

import numpy as np
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from gateway.bucket import Bucket
from gateway.inputs import Digits, PushToTalk, Typed
from gateway.rooms.websocket.connection import ClientConnection
from gateway.rooms.websocket.room import WebSocketRoom
from gateway.sessions.fairness import KEYING, TYPING
from gateway.sessions.house import House
from schemas.client import (
    BadMessage,
    DtmfMessage,
    ErrorMessage,
    HangUpMessage,
    PingMessage,
    PlayedMessage,
    PongMessage,
    StartMessage,
    TalkMessage,
    TypedMessage,
    from_client,
)
from schemas.clock import Clock

_FRAMES = 300.0, 1000.0
"""Frames of any kind, a second and at once: sound is 50 or 100. What is more waits to be read."""
_ASKS: dict[str, Literal["typed", "keys"]] = {"message": "typed", "dtmf": "keys", "talk": "keys"}
_ASKED = {"typed": TYPING, "keys": KEYING}
"""What is more is not taken, and the client is told."""
_TOLD = 1.0, 5.0
"""Errors that are told, likewise."""


class ClientAllowance:
    """Of one connection."""

    def __init__(self, clock: Clock):
        self._clock = clock
        now = clock.now()
        self._frames = Bucket.full(_FRAMES[0], now, _FRAMES[1])
        self._asked = {kind: Bucket.full(rate, now, burst) for kind, (rate, burst) in _ASKED.items()}
        self._told = Bucket.full(_TOLD[0], now, _TOLD[1])

    async def next(self) -> None:
        """Return when one more frame may be read: not reading is what holds the client back."""
        while not self._frames.take(self._clock.now()):
            await asyncio.sleep(10 / _FRAMES[0])

    def may(self, kind: object, fields: dict[str, Any]) -> bool:
        """Whether one more message of this type is taken; who lets go of a button is always heard."""
        asks = _ASKS.get(kind) if isinstance(kind, str) and fields.get("pressed") is not False else None
        return asks is None or self._asked[asks].take(self._clock.now())

    def tells(self) -> bool:
        """Whether the client is told of one more mistake."""
        return self._told.take(self._clock.now())


async def read(socket: web.WebSocketResponse, connection: ClientConnection, room: WebSocketRoom, house: House) -> None:
    """Until the connection ends, from either side."""
    allowance = ClientAllowance(house.clock)
    async for frame in socket:
        if connection.ended is not None:
            return
        await allowance.next()
        if frame.type is WSMsgType.BINARY:
            if not await _hear(frame, connection, room):
                return
        elif frame.type is WSMsgType.PING:
            await socket.pong(frame.data)
        elif frame.type is WSMsgType.TEXT and not _heed(frame, connection, room, allowance, house):
            return


async def _hear(frame: WSMessage, connection: ClientConnection, room: WebSocketRoom) -> bool:
    """Sound; False if it is none."""
    if len(frame.data) % 2:
        size = len(frame.data)
        _complain(connection, "odd_frame", f"a sound frame of {size} bytes: int16 samples take an even number")
        return False
    too_far = room.hear(np.frombuffer(frame.data, "<i2"))
    while too_far > 0 and connection.ended is None:
        await asyncio.sleep(min(too_far, 0.1))
        too_far -= 0.1
    return True


def _heed(
    frame: WSMessage, connection: ClientConnection, room: WebSocketRoom, allowance: ClientAllowance, house: House
) -> bool:
    """A message; False if the connection is over for it."""
    try:
        fields: dict[str, Any] = json.loads(frame.data)
        kind: object = fields["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        _complain(connection, "bad_frame", "a text frame that is no JSON object with a `type`")
        return False
    if allowance.may(kind, fields):
        code, error = "bad_message", _obey(connection, room, fields)
    else:
        house.metrics.unheeded.inc()
        code, error = "too_many", f"this `{str(kind)[:40]}` was not taken: there are too many a second"
    if error and allowance.tells():
        connection.send_text(ErrorMessage(code=code, message=error, fatal=False))
    if connection.stuck(room.rate):
        connection.close(WSCloseCode.TRY_AGAIN_LATER, "the client does not read", now=True)
        return False
    return True


def _obey(connection: ClientConnection, room: WebSocketRoom, fields: dict[str, Any]) -> str | None:
    """Do what a client's message says; answers what is wrong with it, in a sentence."""
    try:
        message = from_client(fields)
    except BadMessage as error:
        return str(error)
    match message:
        case TypedMessage():
            room.put(Typed(room.participant, message.text))
        case TalkMessage():
            room.put(PushToTalk(room.participant, message.pressed, message.cancel))
        case DtmfMessage():
            room.put(Digits(room.participant, message.digits))
        case PlayedMessage():
            return None if room.played(message.samples) else message.needs
        case HangUpMessage():
            room.hang_up()
        case PingMessage():
            connection.send_text(PongMessage())
        case StartMessage():
            return message.needs
    return None


def _complain(connection: ClientConnection, code: str, message: str) -> None:
    connection.send_text(ErrorMessage(code=code, message=message, fatal=True))
    connection.close(WSCloseCode.UNSUPPORTED_DATA, message)
