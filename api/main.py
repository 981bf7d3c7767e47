"""One API process: the log, the routes, the built web app; until SIGTERM."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Generator
from itertools import repeat

import uvicorn
from fastapi import FastAPI

from api.access.door import Door, visitors
from api.access.gate import KeyGate
from api.access.limits import Limits
from api.app import create_app
from api.house import NOT_YET, House, look_at_queues
from api.sessions.watch import Sessions
from schemas.access.livekit import access
from schemas.archive.both import Both, opening
from schemas.background.asked import AskedFor
from schemas.bus import Bus
from schemas.codec import prepare
from schemas.config.agents import Agents
from schemas.config.beginning import begin
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.log import connect, until_it_answers
from schemas.process.garbage import collect_seldom
from schemas.process.health import Health
from schemas.process.log_clock import LogClock
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.api")

_HEADERS = 16_384
"""Bytes of a request's line and headers."""
_TRIED_AGAIN = 0.25
"""Seconds after which a log that is not there is asked again."""
_GRACE = 3
"""Seconds that requests under way may take at the end; event streams are told to come back."""


def house_of(settings: Settings, bus: Bus, kept: Both | None = None) -> House:
    """Everything of one API process, over a `bus` that is started or will be; `kept`: the same and the archive beside it.
    SettingsError, AgentSpecError: what to change."""
    clock = LogClock()
    return House(
        settings,
        bus,
        KeyGate(settings, bus, clock=clock),
        Limits(settings.api_requests_per_minute, bus),
        Agents(settings.agents),
        Sessions(bus, kept),
        access(settings) if settings.livekit_url else None,
        AskedFor(settings),
        clock=clock,
    )


def listen(settings: Settings) -> socket.socket:
    """The public port. SettingsError: it is taken."""
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.api_host, settings.api_port))
    except OSError as error:
        made.close()
        raise SettingsError(
            f"API_PORT={settings.api_port}: cannot listen on {settings.api_host} ({error.strerror}); take another, or 0 "
            "for any free one"
        ) from None
    return made


def server_of(house: House, app: FastAPI | None = None) -> uvicorn.Server:
    """What serves it, on sockets that are given to it. SettingsError: API_PROXIES names what is no address."""
    return _Server(
        uvicorn.Config(
            app or create_app(house),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            loop="none",
            http=visitors(Door(house.settings, house.figures)),
            date_header=False,  # the guard dates, by the log's clock
            proxy_headers=False,  # it believes loopback; API_PROXIES says whom we do
            ws="none",
            h11_max_incomplete_event_size=_HEADERS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE,
        )
    )


async def run_api(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    begin(settings, "api")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    prepare()
    bus = connect(settings)
    kept = Both(bus, opening(settings))
    house = house_of(settings, bus, kept)
    with listen(settings) as door:
        app = create_app(house)
        server = server_of(house, app)
        tasks = Tasks()

        def describe() -> None:
            """Not before the log has answered: it would wait for us as long as this computes."""
            tasks.spawn(asyncio.to_thread(app.openapi), "description")

        connecting = tasks.spawn(connect_house(house, describe), "log")
        serving = asyncio.ensure_future(server.serve([door]))
        stopped = asyncio.ensure_future(stop.wait())
        health = Health(
            settings.health_host,
            settings.health_port,
            house.figures.text,
            lambda: _obstacles(house),
            lambda: house.waits_for == NOT_YET,
            missing=house.clock.told,
            refresh=lambda: look_at_queues(house),
        )
        await health.start()
        collect_seldom()
        log.info("health on http://%s:%d", settings.health_host, health.port)
        log.info("listening on http://%s:%d", settings.api_host, door.getsockname()[1])
        try:
            await asyncio.wait([serving, stopped, connecting], return_when=asyncio.FIRST_COMPLETED)
            if connecting.done() and connecting.exception() is None:
                await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            house.dismiss()
            await serving
            if connecting.done():
                connecting.result()
        finally:
            stopped.cancel()
            await health.aclose()
            await tasks.aclose()
            await house.asked.aclose()
            await kept.aclose()
            await bus.aclose()


def _obstacles(house: House) -> list[str]:
    return [f"log: {house.waits_for}"] if house.waits_for else []


async def connect_house(house: House, connected: Callable[[], object] = lambda: None) -> None:
    """Start the log, and follow it; `connected` is called in between. While it isn't there, say so once, and, once it can't be
    just being started any more, in `/ready`; and try again. SettingsError: strangers could reach us, and there is no key."""

    async def start() -> None:
        await house.bus.start()
        await house.gate.check()

    async def told(why: str, lasts: bool) -> None:
        log.log(logging.WARNING if lasts else logging.INFO, "%s; trying again", why)
        if lasts:
            house.waits_for = why

    await until_it_answers(start, told, repeat(_TRIED_AGAIN))
    house.waits_for = ""
    connected()
    keeping = asyncio.ensure_future(house.clock.follow(house.bus))
    try:
        await house.sessions.run()
    finally:
        keeping.cancel()


class _Server(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
