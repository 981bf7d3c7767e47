"""`antiphon bench api`: how fast one API process answers, while it follows live sessions and tells hundreds of readers.

A real log holds `stored` sessions that have ended and `sessions` that go on, each a turn every five seconds; `readers` read event
streams, half of them the list's, half a live session's. Meanwhile sessions and queues are asked for; a thread of the process's
own event loop says how late it is. Then tokens are asked for, as fast as they come.
"""

import asyncio
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp

from ops.bench import machine
from ops.bench._turns import SavedBus, Talk, talk
from ops.bench.figures import milliseconds
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected

_TICK = 0.005
_AT_ONCE = 4
"""Somebody who looks at a console asks for a few things at a time."""
_PAUSE = 0.01
_TOKENS_AT_ONCE = 16
_READY = 60.0
_TURN = 5.0
_SECRET = "bench-secret-of-more-than-32-characters"


class ApiGone(AntiphonError):
    """The API's process ended, or never came."""


class _Api:
    """An API in a process of its own. `url`: its address."""

    def __init__(self, settings: dict[str, Any]):
        self._pipe, there = multiprocessing.Pipe()
        self.url = f"http://127.0.0.1:{settings['api_port']}"
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, settings), daemon=True)

    async def __aenter__(self) -> "_Api":
        self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.join, 10)
        if self._process.is_alive():
            self._process.kill()

    async def ask(self, what: str) -> Any:
        """`measure`: from now on; `report`: the latest its loop was since, seconds, in order."""
        self._pipe.send(what)
        while not await asyncio.to_thread(self._pipe.poll, 0.2):
            if not self._process.is_alive():
                raise ApiGone("the API's process has ended; what it said stands above")
        return self._pipe.recv()


def _serve(pipe: Connection, settings: dict[str, Any]) -> None:
    import uvloop

    uvloop.run(_measured(pipe, Settings(_env_file=None, log_level="warning", **settings)))


async def _measured(pipe: Connection, settings: Settings) -> None:
    from api.main import run_api

    late: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            late.append(max(0.0, loop.time() - due))

    async def answer() -> None:
        while True:
            asked = await asyncio.to_thread(pipe.recv)
            pipe.send(sorted(late)[-5:] if asked == "report" else None)
            late.clear()

    beside = [asyncio.create_task(tick()), asyncio.create_task(answer())]
    try:
        await run_api(settings)
    finally:
        for task in beside:
            task.cancel()


async def bench(
    sessions: int = 100, stored: int = 1_000, readers: int = 500, seconds: float = 15.0, **_: Any
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with Valkey(Path(folder), appendfsync="everysec") as server:
            settings = {
                "redis_url": server.url, "api_port": free_port(), "health_port": 0,
                "api_requests_per_minute": 1_000_000, "api_connections_per_address": 2 * readers + 100,
                "livekit_url": "ws://127.0.0.1:1", "livekit_api_key": "bench", "livekit_api_secret": _SECRET,
            }  # fmt: skip
            async with connected(Settings(_env_file=None, redis_url=server.url)) as bus:
                return await _measure(bus, settings, sessions, stored, readers, seconds)


async def _measure(
    bus: SavedBus, settings: dict[str, Any], sessions: int, stored: int, readers: int, seconds: float
) -> dict[str, Any]:
    names = [f"stored-{number}" for number in range(stored)]
    for start in range(0, stored, 50):
        await asyncio.gather(*(talk(bus, name, turns=4) for name in names[start : start + 50]))
    live = [Talk(bus, f"live-{number}") for number in range(sessions)]
    await asyncio.gather(*(one.open() for one in live))
    connector = aiohttp.TCPConnector(limit=0)
    async with _Api(settings) as api, aiohttp.ClientSession(api.url, connector=connector) as client:
        await _until_read(client, stored + sessions)
        going = [asyncio.create_task(_go_on(one)) for one in live]
        reading = [
            _Reader(client, f"/v1/sessions/{random.choice(live).name}/events/stream") for _ in range(readers // 2)
        ]
        reading += [_Reader(client, "/v1/sessions/stream") for _ in range(readers - len(reading))]
        streams = [asyncio.create_task(one.read()) for one in reading]
        await _until(lambda: all(one.messages for one in reading))
        await api.ask("measure")
        heard = [one.messages for one in reading]
        times = await _ask_around(client, names, [one.name for one in live], seconds)
        late = await api.ask("report")
        told = sum(one.messages > before for one, before in zip(reading, heard, strict=True))
        for task in (*streams, *going):
            task.cancel()
        await asyncio.gather(*streams, *going, return_exceptions=True)
        tokens = await _tokens(client, min(seconds, 5.0))
    return {
        "read_p95_ms": milliseconds([took for some in times.values() for took in some], 95),
        "token_per_s": round(tokens),
        "stream_clients": told,
        "blocked_ms": round(late[-1] * 1e3, 1),
        "latest_ms": [round(one * 1e3, 1) for one in late],
        "reads": {kind: [len(some), milliseconds(some, 50), milliseconds(some, 95)] for kind, some in times.items()},
        "sessions": sessions,
        "stored": stored,
        "readers": readers,
        "seconds": seconds,
        **machine(),
    }


async def _until_read(client: aiohttp.ClientSession, many: int) -> None:
    """It has looked at all sessions there are."""
    end = time.monotonic() + _READY
    while time.monotonic() < end:
        try:
            async with client.get("/v1/sessions?limit=1") as answer:
                told = await answer.json() if answer.status == 200 else None
        except aiohttp.ClientError:
            told = None
        if told and told["sessions"] and not told["unread"]:
            return
        await asyncio.sleep(0.1)
    raise ApiGone(f"the API had not read {many} sessions after {_READY:.0f} s")


async def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _READY
    while not done() and time.monotonic() < end:
        await asyncio.sleep(0.05)


class _Reader:
    """Of a stream; `messages`: so many came."""

    def __init__(self, client: aiohttp.ClientSession, path: str):
        self._client, self._path = client, path
        self.messages = 0

    async def read(self) -> None:
        async with self._client.get(self._path, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for part in answer.content.iter_any():
                self.messages += part.count(b"event: ")


async def _go_on(one: Talk) -> None:
    await asyncio.sleep(random.random() * _TURN)
    while True:
        await one.turn(_TURN)


async def _ask_around(
    client: aiohttp.ClientSession, stored: list[str], live: list[str], seconds: float
) -> dict[str, list[float]]:
    """Seconds that answers took, whole, by what was asked for."""
    asks: dict[str, Callable[[], str]] = {
        "list": lambda: random.choice(["/v1/sessions", "/v1/sessions?state=open", "/v1/sessions?q=7&slow_ms=1"]),
        "stored session": lambda: f"/v1/sessions/{random.choice(stored)}",
        "live session": lambda: f"/v1/sessions/{random.choice(live)}",
        "events": lambda: f"/v1/sessions/{random.choice(stored)}/events?limit=50",
        "queues": lambda: "/v1/queues",
    }
    times: dict[str, list[float]] = {kind: [] for kind in asks}
    end = time.perf_counter() + seconds

    async def ask() -> None:
        while time.perf_counter() < end:
            kind = random.choice(list(asks))
            began = time.perf_counter()
            async with client.get(asks[kind]()) as answer:
                body = await answer.read()
                assert answer.status == 200, body
            times[kind].append(time.perf_counter() - began)
            await asyncio.sleep(_PAUSE)

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return times


async def _tokens(client: aiohttp.ClientSession, seconds: float) -> float:
    """A second."""
    end, made = time.perf_counter() + seconds, 0
    body = json.dumps({"room_name": "bench", "participant_identity": "ann"}).encode()

    async def ask() -> None:
        nonlocal made
        while time.perf_counter() < end:
            async with client.post(
                "/v1/livekit/token", data=body, headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status in (200, 201), await answer.text()
                await answer.read()
            made += 1

    await asyncio.gather(*(ask() for _ in range(_TOKENS_AT_ONCE)))
    return made / seconds
