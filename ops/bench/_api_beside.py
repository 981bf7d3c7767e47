"""What `antiphon bench api` runs beside itself, each in a process of its own: the API, a bare route to compare it with, and the
crowd: live sessions that go on, and those who read event streams."""

import asyncio
import multiprocessing
import random
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any, cast
from urllib.parse import urlsplit

from ops.bench._turns import Talk
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected

READY = 60.0
TURN = 5.0
"""Seconds that a turn of a live session takes."""
_TICK = 0.005

Body = Callable[[Connection, dict[str, Any]], Coroutine[Any, Any, None]]


class Gone(AntiphonError):
    """A process ended, or was never ready."""


class Beside:
    """`body`: what runs there, given a pipe on which it is asked."""

    def __init__(self, body: Body, settings: dict[str, Any]):
        self._pipe, there = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_run, args=(body, there, settings), daemon=True)

    async def __aenter__(self) -> "Beside":
        self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.join, 10)
        if self._process.is_alive():
            self._process.kill()

    async def ask(self, what: str) -> Any:
        self._pipe.send(what)
        while not await asyncio.to_thread(self._pipe.poll, 0.2):
            if not self._process.is_alive():
                raise Gone("a process of the benchmark has ended; what it said stands above")
        return self._pipe.recv()


def _run(body: Body, pipe: Connection, settings: dict[str, Any]) -> None:
    import uvloop

    uvloop.run(body(pipe, settings))


def _answering(pipe: Connection, answer: Callable[[str], Any]) -> None:
    """What is asked on `pipe`, within the loop: a thread that waits there would keep the process from ending."""
    loop = asyncio.get_running_loop()

    def come() -> None:
        try:
            pipe.send(answer(pipe.recv()))
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())

    loop.add_reader(pipe.fileno(), come)


class _Lateness:
    """Of a loop's own clock. `late`: seconds a tick came after it was due; `held`: as much of that as the loop's thread computed
    itself: the rest is the machine's, which gave the processor to others."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.late, self.held = [0.0], [0.0]
        self._began, self._cpu = time.perf_counter(), time.process_time()

    async def tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, computed = loop.time() + _TICK, time.thread_time()
            await asyncio.sleep(_TICK)
            late = max(0.0, loop.time() - due)
            self.late.append(late)
            self.held.append(min(late, time.thread_time() - computed))

    def answer(self, what: str) -> Any:
        """`measure`: from now on; `report`: what it was since: the latest, in order, and the share of a core it took."""
        share = (time.process_time() - self._cpu) / (time.perf_counter() - self._began)
        told = {"late": sorted(self.late)[-5:], "held": sorted(self.held)[-5:], "share": share}
        self.begin()
        return told if what == "report" else None


async def api(pipe: Connection, settings: dict[str, Any]) -> None:
    from api.main import run_api

    lateness = _Lateness()
    _answering(pipe, lateness.answer)
    ticking = asyncio.create_task(lateness.tick())
    try:
        await run_api(Settings(_env_file=None, log_level="error", **settings))
    finally:
        ticking.cancel()


async def bare(pipe: Connection, settings: dict[str, Any]) -> None:
    """The least an answer costs here: a route of Starlette's that asks the log one thing, served as the API is."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async with connected(Settings(_env_file=None, redis_url=settings["redis_url"])) as bus:

        async def ask(_: Request) -> JSONResponse:
            return JSONResponse({"now": await bus.now()})

        app = Starlette(routes=[Route("/", ask)])
        config = uvicorn.Config(
            app, port=settings["peer_port"], http="h11", ws="none", loop="none", lifespan="off", log_config=None
        )
        await uvicorn.Server(config).serve()


async def crowd(pipe: Connection, settings: dict[str, Any]) -> None:
    """Answers `open`, `listen` (how many have begun to read), `measure` (how many were told something since the last time),
    `leave` (nobody reads) and `rest` (nobody talks either) when that is done."""
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), lambda: asked.put_nowait(pipe.recv()))
    live: list[Talk] = []
    going: list[asyncio.Task[None]] = []
    reading: list[_Reader] = []
    async with connected(Settings(_env_file=None, redis_url=settings["redis_url"])) as bus:
        while True:
            what = await asked.get()
            if what == "open":
                live = [Talk(bus, name) for name in settings["live"]]
                await asyncio.gather(*(one.open() for one in live))
                going = [asyncio.create_task(_go_on(one)) for one in live]
            elif what == "listen":
                half = settings["readers"] // 2
                paths = [f"/v1/sessions/{random.choice(live).name}/events/stream" for _ in range(half)]
                paths += ["/v1/sessions/stream"] * (settings["readers"] - half)
                reading = [await _Reader.of(settings["url"], path) for path in paths]
                await _until_all_read(reading)
            elif what == "leave":
                for one in reading:
                    one.leave()
                reading = []
            elif what == "rest":
                for task in going:
                    task.cancel()
                await asyncio.gather(*going, return_exceptions=True)
            pipe.send(sum(one.messages > 0 for one in reading))
            for one in reading if what == "measure" else ():
                one.messages = 0


class _Reader(asyncio.Protocol):
    """Of a stream; `messages`: so many came. It only counts: an HTTP client's work for five hundred of them would be done on
    the API's cores."""

    def __init__(self, host: str, path: str):
        self._asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.messages = 0

    @classmethod
    async def of(cls, url: str, path: str) -> "_Reader":
        at = urlsplit(url)
        host, port = str(at.hostname), int(at.port or 80)
        made = await asyncio.get_running_loop().create_connection(lambda: cls(at.netloc, path), host, port)
        return made[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        self.messages += data.count(b"event: ")

    def leave(self) -> None:
        self._transport.abort()


async def _until_all_read(reading: list[_Reader]) -> None:
    end = time.monotonic() + READY
    while not all(one.messages for one in reading) and time.monotonic() < end:
        await asyncio.sleep(0.05)


async def _go_on(one: Talk) -> None:
    await asyncio.sleep(random.random() * TURN)
    while True:
        await one.turn(TURN)
