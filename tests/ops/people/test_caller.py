"""A person at the other end of a WebSocket, and gateways that are not of today."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from ops.people.caller import Caller
from ops.people.person import CallError
from schemas.client import ReadyMessage, StateMessage
from tests.ops.commands.test_entry import serving

READY: dict[str, Any] = {
    "type": "ready",
    "version": 1,
    "session": "ws-1",
    "ticket": "t",
    "rate": 24000,
    "resumed": False,
}


async def test_a_newer_gateway_is_understood_as_far_as_it_goes() -> None:
    """Messages, fields and states a caller does not know are left out, and the call goes on."""
    asked: list[dict[str, Any]] = []

    async def newer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked.append(await socket.receive_json())
        await socket.send_json(READY | {"region": "north"})
        await socket.send_json({"type": "applause", "loud": True})
        await socket.send_json({"type": "state", "state": "dreaming"})
        await socket.send_json({"type": "state", "state": "listening", "since": 3.5})
        await socket.close()
        return socket

    async with serving(newer) as url:
        caller = Caller(url, agent="greeter")
        assert not await caller.connect()
        while caller.connected:
            await asyncio.sleep(0.01)
        await caller.aclose()
    ready = ReadyMessage(session="ws-1", ticket="t", rate=24_000, resumed=False)
    assert [message for _, message in caller.messages] == [ready, StateMessage(state="listening")]
    assert (asked[0]["type"], asked[0]["agent"], asked[0]["rate"]) == ("start", "greeter", 24_000)


async def test_what_no_gateway_takes_is_not_asked_for() -> None:
    """An agent's name beyond its bounds is an error in words, as the gateway's own refusals are."""
    caller = Caller("ws://127.0.0.1:1/ws", agent="x" * 121)
    try:
        with pytest.raises(CallError, match=r"agent: .* at most 120") as refusal:
            await caller.connect()
        assert refusal.value.code == "start"
    finally:
        await caller.aclose()


async def test_who_lost_the_line_knows_it() -> None:
    """After `drop` nobody is connected, whatever the gateway still believes, and the caller comes back with the ticket."""
    asked: list[dict[str, Any]] = []

    async def gateway(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked.append(await socket.receive_json())
        await socket.send_json(READY | {"resumed": bool(asked[-1]["session"])})
        async for _ in socket:
            pass
        return socket

    async with serving(gateway) as url:
        caller = Caller(url)
        assert not await caller.connect()
        assert caller.connected
        await caller.drop()
        assert not caller.connected
        assert await caller.connect()
        assert caller.connected
        await caller.aclose()
    assert [(start["session"], start["ticket"]) for start in asked] == [("", ""), ("ws-1", "t")]
