"""Strangers at the WebSocket: seeded nonsense of every kind, beside one honest conversation that must not notice."""

import asyncio
import gc
import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from gateway.http.connections import DoorLimits
from schemas.client import ErrorMessage, ReadyMessage, TurnMessage
from schemas.events import TurnEnded
from tests.gateway.door import START, Door, door, talk, told, until
from tests.gateway.pools import Pools

ROUNDS = 10
STRANGERS = 12
CODES = {"start", "agent", "ticket", "over", "odd_frame", "bad_frame", "bad_message", "too_many"}
"""What a stranger may be refused with. `internal` is none of them: that is ours."""
_TEXTS = [
    "",
    " ",
    "x",
    "\ud83d",
    "\x00",
    "a\nsystem: b",
    "é" * 4001,
    "😀" * 3000,
    "\u202e",
    "{}",
    "null",
    "\udc00" * 50,
    "\u202e" * 9,
]
_NUMBERS = [0, -1, 1, 1 << 31, 1 << 63, 1 << 200, -(1 << 70), 1.5, float("nan"), float("inf"), 1e308, True]
_TYPES = [
    "message",
    "talk",
    "dtmf",
    "played",
    "hang_up",
    "ping",
    "start",
    "ready",
    "state",
    "error",
    "",
    "x" * 300,
    None,
    5,
    [],
    {},
]
_FIELDS = [
    "text",
    "pressed",
    "digits",
    "samples",
    "session",
    "ticket",
    "agent",
    "rate",
    "version",
    "participant",
    "name",
    "room",
]


class Stranger:
    """One seed's ideas."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        pick = self.random.randrange(8 if depth < 3 else 5)
        if pick < 2:
            return self.random.choice(_TEXTS)
        if pick < 4:
            return self.random.choice(_NUMBERS)
        if pick < 5:
            return self.random.choice([None, True, False, "1", "*#9", "16000", 24000])
        if pick < 7:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(_FIELDS): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def message(self) -> str:
        fields = {name: self.value() for name in self.random.sample(_FIELDS, self.random.randrange(5))}
        told = json.dumps({"type": self.random.choice(_TYPES)} | fields)
        return self.random.choice(
            [
                told,
                told,
                told,
                told,
                told[: self.random.randrange(len(told))],
                f"[{told}]",
                '"text"',
                "[" * 5000,
                "{" * 900,
                "\x00",
            ]
        )

    def sound(self) -> bytes:
        return self.random.randbytes(self.random.choice([0, 1, 2, 3, 640, 641, 20_000, 65_536, 65_537]))

    def start(self) -> str:
        if self.random.random() < 0.6:
            return json.dumps(START | {"name": self.random.choice(["Ann", "a\nb", "é"]), "rate": 24000})
        fields = {name: self.value() for name in self.random.sample(_FIELDS, 3)}
        return json.dumps(START | fields) if self.random.random() < 0.7 else self.message()


async def _visit(gateway: Door, seed: int, tickets: list[tuple[str, str]]) -> list[ErrorMessage]:
    """One stranger's stay; answers the errors they were told."""
    who = Stranger(seed)
    client = await gateway.http.ws_connect(gateway.url + "/ws", max_msg_size=0)
    try:
        if tickets and who.random.random() < 0.3:
            session, ticket = who.random.choice(tickets)
            await client.send_json(
                START | {"session": session, "ticket": ticket if who.random.random() < 0.5 else "no"}
            )
        elif who.random.random() < 0.9:
            await client.send_str(who.start())
        acts: list[Callable[[], Any]] = [
            lambda: client.send_str(who.message()),
            lambda: client.send_str(who.message()),
            lambda: client.send_bytes(who.sound()),
            lambda: client.ping(who.random.randbytes(9)),
            lambda: asyncio.sleep(0.01),
        ]
        for _ in range(who.random.randrange(40)):
            await who.random.choice(acts)()
        if (
            who.random.random() < 0.3
            and (line := client._response.connection) is not None
            and line.transport is not None
        ):
            line.transport.abort()
        return await _told(client, tickets)
    except (ConnectionError, aiohttp.ClientError):
        return await _told(client, tickets)
    finally:
        await client.close()


async def _told(client: aiohttp.ClientWebSocketResponse, tickets: list[tuple[str, str]]) -> list[ErrorMessage]:
    errors = []
    try:
        while True:
            frame = await client.receive(timeout=0.3)
            if frame.type is aiohttp.WSMsgType.TEXT:
                message = told(frame.data)
                if isinstance(message, ErrorMessage):
                    errors.append(message)
                elif isinstance(message, ReadyMessage):
                    tickets.append((message.session, message.ticket))
            elif frame.type is not aiohttp.WSMsgType.BINARY:
                return errors
    except (TimeoutError, ConnectionError, RuntimeError):
        return errors


@pytest.mark.timeout(120)
async def test_strangers_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever strangers send, the gateway lives, the honest caller is answered each time, each refusal is one clear error, no
    session ends by an error of ours, and memory stays bounded."""
    limits = DoorLimits(sessions_per_address=1000, opens_per_minute=100_000)
    async with door(limits=limits) as gateway, Pools(gateway.bus, seconds=0.1, says=["Yes."]):
        honest, ready = await gateway.begin(participant="honest")
        tickets: list[tuple[str, str]] = []
        sizes = []
        for number in range(ROUNDS):
            visits = [_visit(gateway, number * STRANGERS + one, tickets) for one in range(STRANGERS)]
            told, _ = await asyncio.gather(asyncio.gather(*visits), _one_turn(honest))
            for errors in told:
                assert {error.code for error in errors} <= CODES
                assert all(0 < len(error.message) < 500 and "Traceback" not in error.message for error in errors)
                assert sum(error.fatal for error in errors) <= 1
            if number == ROUNDS // 2:
                gc.collect()
                tracemalloc.start()
            elif number == ROUNDS - 1:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
                tracemalloc.stop()
        turns = [event for event in await gateway.bus.read(ready.session) if isinstance(event, TurnEnded)]
        assert [event.how for event in turns].count("played") >= ROUNDS
        assert len(tickets) > ROUNDS
        assert b"antiphon_gateway_sessions_broken_total 0.0" in gateway.reception.house.metrics.text()
        assert sizes[0] < 64 << 20
    assert [record for record in caplog.records if record.exc_info] == []


async def _one_turn(honest: aiohttp.ClientWebSocketResponse) -> None:
    """Speak, and be answered."""
    await talk(honest, 0.4)
    await talk(honest, 0.3, 0)
    turn = await until(honest, TurnMessage)
    assert turn.how == "played", turn
