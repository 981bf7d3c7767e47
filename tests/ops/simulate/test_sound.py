"""A caller who is heard, at the gateway of `--url`."""

from typing import Any

import pytest
from aiohttp import web

from ops.people.caller import Caller as Phone
from ops.people.person import CallError
from ops.simulate.scenario import Caller
from ops.simulate.sound import SoundLine, Voice
from schemas.config.settings import Settings
from schemas.log import MemoryBus
from tests.ops.commands.test_entry import serving

READY: dict[str, Any] = {
    "type": "ready", "version": 1, "session": "ws-1", "ticket": "t", "rate": 24000, "resumed": False,
}  # fmt: skip


async def test_a_gateway_of_another_log_is_told_at_once() -> None:
    """Where the gateway's sessions are not in the log that is read here, the setting is told, and no agent is blamed."""

    async def gateway(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        await socket.send_json(READY)
        await socket.send_json({"type": "state", "state": "listening"})
        async for message in socket:
            if message.type is web.WSMsgType.TEXT and message.json()["type"] == "hang_up":
                break
        return socket

    settings = Settings(tts_provider="simulated")
    async with serving(gateway) as url:
        phone, voice = Phone(url, rate=16_000), Voice(settings)
        line = SoundLine(Caller(lines=["Hello."]), "one", phone, voice, MemoryBus())
        try:
            with pytest.raises(CallError, match=r"ws-1 .* REDIS_URL"):
                await line.connect()
        finally:
            await phone.aclose()
            await voice.aclose()
