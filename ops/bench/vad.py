"""`antiphon bench vad`: how many people one gateway process, pinned to one core, can hear.

Everything a gateway does is done: VAD, turn-taking, publications, the inbox, playback, client messages; only the rooms are in
memory. Everybody takes turns of speech (40 % of the time, a recording) and silence, and is answered. Workers (of fixed cost)
and the server have the other cores. `participants`: the largest number for which the lateness of the tick (32 ms) stays under
16 ms at p99 for the whole time.
"""

import asyncio
import multiprocessing
import os
import random
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from gateway.main import start_gateway
from gateway.rooms.memory import MemoryRoom
from ops.bench import machine
from ops.bench._figures import milliseconds, percentile
from ops.demo.script import line
from ops.embedded.valkey import Valkey
from ops.processes import KeptProcess, Kind, Role, preload
from schemas.agent import AgentSpec
from schemas.log import connect
from schemas.settings import Settings

_TICK = 512
_LIMIT = 0.016
_SPEAKING, _SILENT = 2.4, 3.6
_STAGES: tuple[Kind, ...] = ("stt", "llm", "tts")


async def bench(seconds: float = 60.0, sessions: int = 0, **_: Any) -> dict[str, Any]:
    """`sessions`: try just so many participants, each in a session of its own; 0 looks for the largest number in short runs and
    confirms it for `seconds`."""
    preload()
    tried: list[dict[str, Any]] = []
    if sessions:
        tried.append(await _run(sessions, seconds))
    else:
        count = 100
        while (row := await _run(count, 12.0))["p99_ms"] < _LIMIT * 1e3 and count < 1600:
            tried.append(row)
            count = int(count * 1.25)
        tried.append(row)
        count = int(count / 1.25)
        while count >= 25:
            tried.append(await _run(count, seconds))
            if tried[-1]["p99_ms"] < _LIMIT * 1e3:
                break
            count = int(count / 1.15)
    last = tried[-1]
    return {
        "participants": last["participants"] if last["p99_ms"] < _LIMIT * 1e3 else 0,
        "lateness_p99_ms": last["p99_ms"],
        "tried": tried,
        "speaking": _SPEAKING / (_SPEAKING + _SILENT),
        **machine(),
    }


async def _run(participants: int, seconds: float) -> dict[str, Any]:
    """One gateway process on the first core, everything else on the others."""
    cores = sorted(os.sched_getaffinity(0))
    own, others = {cores[0]}, set(cores[1:]) or {cores[0]}
    os.sched_setaffinity(0, others)
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        server = Valkey(Path(folder) / "valkey")
        await server.start()
        environment = {"REDIS_URL": server.url, "HEALTH_PORT": "0", "WORKER_SLOTS": "64", "LOG_LEVEL": "warning"}
        environment |= {f"{stage.upper()}_PROVIDER": "simulated" for stage in _STAGES}
        environment |= {"SIMULATED_LLM_SENTENCES": "1", "SIMULATED_STT_MS": "50"}
        roles = [Role(stage, stage, environment, Path(folder) / f"{stage}.log") for stage in _STAGES]
        workers = [await asyncio.to_thread(KeptProcess, role) for role in roles]
        try:
            here, there = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=_gateway, args=(there, server.url, participants, seconds, own)
            )
            process.start()
            row: dict[str, Any] = await asyncio.to_thread(here.recv)
            await asyncio.to_thread(process.join)
        finally:
            await asyncio.gather(*(worker.stop(3.0) for worker in workers))
            await server.stop()
            os.sched_setaffinity(0, set(cores))
    return row


def _gateway(out: Connection, url: str, participants: int, seconds: float, cores: set[int]) -> None:
    import uvloop

    os.sched_setaffinity(0, cores)
    out.send(uvloop.run(_listen(url, participants, seconds)))


async def _listen(url: str, participants: int, seconds: float) -> dict[str, Any]:
    settings = Settings(redis_url=url, gateway_port=0, log_level="warning")
    bus = connect(settings)
    await bus.start()
    gateway = await start_gateway(settings, bus)
    rooms = []
    for number in range(participants):
        room = MemoryRoom(gateway.house.clock, keep=False)
        room.join()
        await gateway.reception.open(f"bench-{number}", room, AgentSpec())
        rooms.append(room)
    feeding = asyncio.create_task(_feed(rooms))
    await asyncio.sleep(8.0)  # everybody has spoken and been answered once
    gateway.engine.late.clear()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    late, load = list(gateway.engine.late), (time.process_time() - cpu) / (time.perf_counter() - wall)
    feeding.cancel()
    played = sum(message.get("how") == "played" for room in rooms for message in room.told("turn"))
    await gateway.aclose()
    await bus.aclose()
    return {
        "participants": participants,
        "p50_ms": milliseconds(late, 50),
        "p99_ms": milliseconds(late, 99),
        "max_ms": round(percentile(late, 100) * 1e3, 1),
        "core": round(load, 2),
        "turns_played": played,
    }


async def _feed(rooms: list[MemoryRoom]) -> None:
    """A frame to everybody each 32 ms; each is at another place of the same cycle of speech and silence."""
    speech = np.resize(line("capital"), int(_SPEAKING * 16_000))
    # a quiet room, not zeros: those the gateway would not even show to the VAD
    silence = np.random.default_rng(1).integers(-40, 41, int(_SILENT * 16_000)).astype(np.int16)
    cycle = np.concatenate((speech, silence))
    frames = cycle[: len(cycle) // _TICK * _TICK].reshape(-1, _TICK)
    places = [random.randrange(len(frames)) for _ in rooms]
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(10**9):
        for room, place in zip(rooms, places, strict=True):
            room.hear(frames[(place + number) % len(frames)])
        due += _TICK / 16_000
        await asyncio.sleep(max(0.0, due - loop.time()))
