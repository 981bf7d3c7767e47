"""`antiphon bench vad`: how many people one gateway process, pinned to one core, can hear.

Everything a gateway does is done: VAD, turn-taking, publications, the inbox, playback, client messages; only the rooms are in
memory. Everybody asks a question (a recording), is silent for one and a half times as long, hears the answer out meanwhile,
and asks again. Workers (of fixed cost) and the server have the other cores. `participants`: the largest number for which the
lateness of the tick (32 ms) stays under 16 ms at p99 for the whole time, with nearly every answer played to its end.
"""

import asyncio
import multiprocessing
import os
import random
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

from gateway.main import Gateway, start_gateway
from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.engine import TICK
from gateway.sound.detector import FRAME
from ops.bench import machine
from ops.bench._core import SHORT_ANSWERS, SILENCE, Meter, cores_apart, question_and_silence, simulated_pools
from ops.stack.processes import preload
from schemas.client import TurnMessage
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.log import connected

_LIMIT_MS = 16.0
_PLAYED = 0.95
"""Of the turns that ended: below, what was measured is not a conversation."""


async def bench(seconds: float = 60.0, sessions: int = 0, **_: Any) -> dict[str, Any]:
    """`sessions`: try just so many participants, each in a session of its own; 0 looks for the largest number in short runs and
    confirms it for `seconds`."""
    preload()
    tried: list[dict[str, Any]] = []
    if sessions:
        tried.append(await _run(sessions, seconds))
    else:
        count = 100
        while _kept_up(row := await _run(count, 12.0)) and count < 1600:
            tried.append(row)
            count = int(count * 1.25)
        tried.append(row)
        count = int(count / 1.25)
        while count >= 25:
            tried.append(await _run(count, seconds))
            if _kept_up(tried[-1]):
                break
            count = int(count / 1.15)
    last = tried[-1]
    return {
        "participants": last["participants"] if _kept_up(last) else 0,
        "lateness_p99_ms": last["p99_ms"],
        "tried": tried,
        "speaking": 1 / (1 + SILENCE),
        **machine(),
    }


def _kept_up(row: dict[str, Any]) -> bool:
    ended = sum(row["turns"].values())
    return bool(row["p99_ms"] < _LIMIT_MS and ended and row["turns"].get("played", 0) >= _PLAYED * ended)


async def _run(participants: int, seconds: float) -> dict[str, Any]:
    """One gateway process on the first core, everything else on the others."""
    async with cores_apart() as own, simulated_pools(SHORT_ANSWERS, WORKER_BATCH="32") as (log, _):
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_gateway, args=(there, log.url, participants, seconds, own)
        )
        process.start()
        row: dict[str, Any] = await asyncio.to_thread(here.recv)
        await asyncio.to_thread(process.join)
    return row


def _gateway(out: Connection, url: str, participants: int, seconds: float, cores: set[int]) -> None:
    import uvloop

    os.sched_setaffinity(0, cores)
    out.send(uvloop.run(_listen(url, participants, seconds)))


async def _listen(url: str, participants: int, seconds: float) -> dict[str, Any]:
    settings = Settings(redis_url=url, gateway_port=0, log_level="warning")
    async with connected(settings) as bus:
        gateway = await start_gateway(settings, bus)
        try:
            return await _measure(gateway, participants, seconds)
        finally:
            await gateway.aclose()


async def _measure(gateway: Gateway, participants: int, seconds: float) -> dict[str, Any]:
    rooms = []
    for number in range(participants):
        room = MemoryRoom(gateway.house.clock, keep=False)
        room.join()
        await gateway.reception.open(f"bench-{number}", room, AgentSpec())
        rooms.append(room)
    feeding = asyncio.create_task(_feed(rooms))
    await asyncio.sleep(8.0)  # everybody has asked and been answered once
    for room in rooms:
        room.messages.clear()
    meter = Meter(gateway)
    await asyncio.sleep(seconds)
    report = meter.report()
    feeding.cancel()
    turns = Counter(turn.how for room in rooms for turn in room.told(TurnMessage))
    return {
        "participants": participants,
        "p50_ms": report["lateness_p50_ms"],
        "p99_ms": report["lateness_p99_ms"],
        "max_ms": report["lateness_max_ms"],
        "core": report["core"],
        "turns": dict(turns),
    }


async def _feed(rooms: list[MemoryRoom]) -> None:
    """A frame to everybody each 32 ms; each is at another place of the same cycle of speech and silence."""
    cycle = question_and_silence()
    frames = cycle[: len(cycle) // FRAME * FRAME].reshape(-1, FRAME)
    places = [random.randrange(len(frames)) for _ in rooms]
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(10**9):
        for room, place in zip(rooms, places, strict=True):
            room.hear(frames[(place + number) % len(frames)])
        due += TICK
        await asyncio.sleep(max(0.0, due - loop.time()))
