"""`antiphon bench dispatch`: many LiveKit rooms made at once; from the offer of each job until the agent hears its room.

A real LiveKit server with its Redis, one gateway (this process), and people (`ops/livekit/people`) who each make a room of their
own and speak from the first moment on. Timed is from the server's offer to the first frame of sound in the gateway's hands:
accepting, opening the session, joining, subscribing, and whatever the person's microphone takes to be published after
that. `missed`: rooms that were offered to nobody or never heard. All of it shares this machine's cores.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from livekit.protocol import agent as pb
from pydantic import SecretStr

from gateway.inputs import Heard, RoomInput
from gateway.main import Gateway, start_gateway
from gateway.rooms.livekit.door import Dispatch
from gateway.rooms.livekit.room import LiveKitRoom
from ops.bench import machine
from ops.bench._people import People
from ops.bench.figures import milliseconds
from ops.stack.embedded.livekit import LiveKit, build_if_missing
from ops.stack.embedded.valkey import Valkey
from schemas.audio import HEARING_RATE
from schemas.config.settings import Settings
from schemas.log import connect

_ROOMS = 20
_WITHIN = 30.0  # seconds
_TONE = (3000 * np.sin(2 * np.pi * 440 * np.arange(2 * HEARING_RATE) / HEARING_RATE)).astype(np.int16)


async def bench(sessions: int = _ROOMS, **_: Any) -> dict[str, Any]:
    """`sessions`: rooms made at once."""
    await build_if_missing()
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        async with Valkey(Path(data) / "valkey") as log, LiveKit(Path(data) / "livekit", log.url) as server:
            gateway = await _gateway(log, server, sessions)
            try:
                offered, heard = await _measure(gateway, server, sessions)
            finally:
                await gateway.aclose()
                await gateway.bus.aclose()
    took = [heard[room] - offered[room] for room in offered if room in heard]
    return {
        "rooms": sessions,
        "p50_ms": milliseconds(took, 50),
        "p95_ms": milliseconds(took, 95),
        "max_ms": round(max(took, default=0.0) * 1e3),
        "missed": sessions - len(took),
        **machine(),
    }


async def _gateway(log: Valkey, server: LiveKit, sessions: int) -> Gateway:
    settings = Settings(
        redis_url=log.url, gateway_port=0, livekit_url=server.url, livekit_api_key=server.api_key,
        livekit_api_secret=SecretStr(server.api_secret), livekit_sessions=sessions, livekit_watch=False,
    )  # fmt: skip
    bus = connect(settings)
    await bus.start()
    gateway = await start_gateway(settings, bus)
    assert gateway.livekit is not None
    async with asyncio.timeout(_WITHIN):
        await gateway.livekit.worker.registered.wait()
    return gateway


async def _measure(gateway: Gateway, server: LiveKit, sessions: int) -> tuple[dict[str, float], dict[str, float]]:
    """When each room's job was offered, and when its first sound was heard (monotonic seconds)."""
    offered: dict[str, float] = {}
    heard: dict[str, float] = {}

    def noting_offers(dispatch: Dispatch, job: pb.Job, plain: Any = Dispatch.offered) -> pb.AvailabilityResponse:
        offered.setdefault(job.room.name, time.monotonic())
        answer: pb.AvailabilityResponse = plain(dispatch, job)
        return answer

    def noting_sound(room: LiveKitRoom, plain: Any = LiveKitRoom.drain) -> Sequence[RoomInput]:
        inputs: Sequence[RoomInput] = plain(room)
        if room.name not in heard and any(isinstance(item, Heard) and np.any(item.pcm) for item in inputs):
            heard[room.name] = time.monotonic()
        return inputs

    setattr(Dispatch, "offered", noting_offers)  # noqa: B010 (the only two places where this can be seen)
    setattr(LiveKitRoom, "drain", noting_sound)  # noqa: B010
    async with People(server, [f"room-{number}" for number in range(sessions)], _TONE):
        end = time.monotonic() + _WITHIN
        while len(heard) < sessions and time.monotonic() < end:
            await asyncio.sleep(0.05)
    return offered, heard
