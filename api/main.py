"""One API process: the log, the routes, the built web app; until SIGTERM."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Generator
from itertools import repeat

import uvicorn
from fastapi import FastAPI

from api.access.door import Door, visitors
from api.access.gate import KeyGate
from api.access.limits import Limits
from api.app import create_app
from api.house import House, look_at_queues
from api.sessions.watch import Sessions
from schemas.access.livekit import access
from schemas.bus import Bus
from schemas.codec import prepare
from schemas.config.agents import Agents
from schemas.config.settings import Settings, strangers
from schemas.errors import SettingsError
from schemas.log import connect, until_it_answers
from schemas.process.garbage import collect_seldom
from schemas.process.health import Health
from schemas.process.logging import set_up_logging
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.api")

_HEADERS = 16_384
"""Bytes of a request's line and headers."""
_TRIED_AGAIN = 0.25
"""Seconds after which a log that is not there is asked again."""
_GRACE = 3
"""Seconds that requests under way may take at the end; event streams are told to come back."""


def house_of(settings: Settings, bus: Bus) -> House:
    """Everything of one API process, over a `bus` that is started or will be. SettingsError, AgentSpecError: what to change."""
    return House(
        settings,
        bus,
        KeyGate(settings, bus),
        Limits(settings.api_requests_per_minute, bus),
        Agents(settings.agents),
        Sessions(bus),
        access(settings) if settings.livekit_url else None,
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
            proxy_headers=False,  # it believes loopback; API_PROXIES says whom we do
            ws="none",
            h11_max_incomplete_event_size=_HEADERS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE,
        )
    )


async def run_api(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    set_up_logging(settings.log_level, settings.log_format, "api", sentry_dsn=settings.sentry_dsn.get_secret_value())
    if told := strangers():
        log.warning("%s", told)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    prepare()
    bus = connect(settings)
    house = house_of(settings, bus)
    with listen(settings) as door:
        app = create_app(house)
        server = server_of(house, app)
        tasks = Tasks()
        tasks.spawn(asyncio.to_thread(app.openapi), "description")
        connecting = tasks.spawn(_connect(house), "log")
        serving = asyncio.ensure_future(server.serve([door]))
        stopped = asyncio.ensure_future(stop.wait())
        health = Health(
            settings.health_host,
            settings.health_port,
            house.figures.text,
            lambda: _obstacles(house),
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
            await bus.aclose()


def _obstacles(house: House) -> list[str]:
    return [f"log: {house.waits_for}"] if house.waits_for else []


async def _connect(house: House) -> None:
    """Start the log, and follow it; while it isn't there yet, say so once, and in `/ready`, and try again. SettingsError:
    strangers could reach us, and there is no key."""

    async def start() -> None:
        await house.bus.start()
        await house.gate.check()

    async def told(why: str, lasts: bool) -> None:
        log.log(logging.WARNING if lasts else logging.INFO, "%s; trying again", why)
        house.waits_for = why

    await until_it_answers(start, told, repeat(_TRIED_AGAIN))
    house.waits_for = ""
    await house.sessions.run()


class _Server(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
