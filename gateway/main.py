"""One gateway process: the log, the ear, the door; until SIGTERM, and then the calls that are under way."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat, takewhile
from typing import TYPE_CHECKING

from gateway.http.listening_in import ListenDoor
from gateway.http.presence import Presence
from gateway.http.server import PublicPort, Server
from gateway.rooms.file.door import rejoin_file
from gateway.rooms.livekit.desk import JoinDesk
from gateway.rooms.sip.desk import Desk
from gateway.rooms.sip.door import Listen, Phones, start_phones
from gateway.rooms.websocket.door import WebSocketDoor, rejoin_websocket
from gateway.sessions.engine import Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.sessions.remembering import Remembering
from gateway.sound.vad import Vad
from gateway.transport import Transport
from schemas.archive.both import looking
from schemas.bus import Bus, Connecting
from schemas.clock import Clock
from schemas.codec import prepare
from schemas.config.agents import Agents
from schemas.config.beginning import begin
from schemas.config.settings import Settings
from schemas.errors import BusError
from schemas.events import TransportName
from schemas.log import connect, until_it_answers
from schemas.process.clock import MonotonicClock
from schemas.process.garbage import collect_seldom
from schemas.process.health import Health
from schemas.process.tasks import Tasks

if TYPE_CHECKING:
    from gateway.rooms.livekit.door import Dispatch

log = logging.getLogger("antiphon.gateway")

_TRIED_AGAIN = 0.25
"""Seconds after which a log that is not there is asked again."""


@dataclass(slots=True)
class Gateway:
    """Everything of one gateway, started. `async with gateway(...)` is what tests and benchmarks use."""

    bus: Bus
    house: House
    engine: Engine
    reception: Reception
    server: Server
    health: Health
    phones: Phones | None = None
    livekit: "Dispatch | None" = None
    presence: Presence | None = None
    _telling: Tasks = field(default_factory=Tasks)

    def tell(self, presence: Presence) -> None:
        """Let the deployment know of it, from now on."""
        self.presence = presence
        self._telling.spawn(presence.run(), "presence")

    def keep_time(self) -> None:
        """Judge tokens by the log's clock, from now on, as the API dates them. (A log in memory has a time of its own.)"""
        self._telling.spawn(self.server.clock.follow(self.bus), "clock")

    @property
    def url(self) -> str:
        return self.server.url

    async def aclose(self, drain: float = 0.0) -> None:
        """Finish the calls for up to `drain` seconds, hand the rest over, stop."""
        self.reception.draining = True
        if self.livekit is not None:
            self.livekit.drain()
        if self.presence is not None:
            await self.presence.tell()
        joined = self.phones.drain(drain) if self.phones is not None else asyncio.sleep(0)
        await asyncio.gather(self.reception.drain(drain), joined)
        await self._telling.aclose()
        if self.presence is not None:
            await self.presence.take_back()
        if self.phones is not None:
            await self.phones.aclose()
        if self.livekit is not None:
            await self.livekit.aclose()
        await self.server.aclose()
        await self.health.aclose()
        await self.reception.aclose()
        await self.engine.aclose()


async def start_gateway(settings: Settings, bus: Bus, clock: Clock | None = None) -> Gateway:
    """A gateway over a started `bus`. SettingsError, AgentSpecError: what is to be changed, in a sentence."""
    agents = Agents(settings.agents)
    log.info("%s", agents.explain_usual())
    house = House(
        bus, clock or MonotonicClock(), Vad(), settings.gateway_id or default_id(), queue_limit=settings.queue_limit,
        beside=agents.beside,
    )  # fmt: skip
    house.remembering = Remembering(bus, looking(settings), house.metrics)
    engine = Engine(house)
    reception = Reception(house, engine, agents, needs_workers=settings.gateway_needs_workers)
    livekit = _livekit(settings, reception)
    reception.transports = {one.name: one for one in transports(house.clock, livekit)}
    server = Server(PublicPort.of(settings), house, engine.sessions)
    server.add(WebSocketDoor(reception, server).routes())
    server.add(ListenDoor(server, house, engine.sessions).routes())
    server.add(JoinDesk(server, livekit.join if livekit else None).routes())
    health = Health(
        settings.health_host,
        settings.health_port,
        house.metrics.text,
        lambda: _obstacles(reception, livekit),
        missing=lambda: reception.pools.told() + server.clock.told(),
    )
    prepare()
    await engine.start()
    reception.start()
    collect_seldom()
    phones = None
    try:
        if settings.sip_listen:
            phones = await start_phones(reception, Listen.of(settings), settings.sip_trunks)
        server.add(Desk(phones, server.admission.let_operator_in).routes())
        await server.start()
        await health.start()
    except BaseException:
        await server.aclose()
        if phones is not None:
            await phones.aclose()
        await reception.aclose()
        await engine.aclose()
        raise
    if livekit is not None:
        livekit.start()
    started = Gateway(bus, house, engine, reception, server, health, phones, livekit)
    started.tell(Presence(reception, server, _ways_in(phones, livekit), settings.gateway_public_url))
    return started


def _ways_in(phones: Phones | None, livekit: "Dispatch | None") -> list[TransportName]:
    """The kinds of room that sessions begin in here."""
    found: list[TransportName] = ["websocket"]
    if livekit is not None:
        found.append("livekit")
    if phones is not None:
        found.append("sip")
    return found


def _livekit(settings: Settings, reception: Reception) -> "Dispatch | None":
    """LiveKit rooms, where the settings name a server; its library is loaded only then."""
    if not settings.livekit_url:
        return None
    from gateway.rooms.livekit.door import Dispatch
    from schemas.access.livekit import access

    logging.getLogger("livekit").setLevel(logging.WARNING)  # the SDK tells each of its steps
    return Dispatch(
        reception,
        access(settings),
        agent_name=settings.livekit_agent_name,
        capacity=settings.livekit_sessions,
        watch=settings.livekit_watch,
    )


def transports(clock: Clock, livekit: "Dispatch | None") -> list[Transport]:
    """Every way into a session: a new kind of room is one line more."""
    without = "a LiveKit session without its gateway, left to others: LIVEKIT_URL is not set here"
    return [
        Transport("websocket", rejoin_websocket(clock)),
        Transport("file", rejoin_file(clock)),
        Transport("sip", dies_with_us=True),
        Transport("livekit", livekit.rejoin, remembers=True)
        if livekit
        else Transport("livekit", left_to_others=without),
        Transport("memory"),
    ]


def default_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def _obstacles(reception: Reception, livekit: "Dispatch | None") -> list[str]:
    found = []
    if reception.draining:
        found.append("shutting down")
    if not reception.leases.connected:
        found.append(reception.leases.problem or BusError.told)
    if livekit is not None and livekit.obstacle:
        found.append(livekit.obstacle)
    return found


async def run_gateway(
    settings: Settings, *, bus: Bus | None = None, stop: asyncio.Event | None = None,
    ready: Callable[[Gateway], None] | None = None,
) -> None:  # fmt: skip
    """Serve until SIGTERM or SIGINT (or `stop`), then drain. `bus`: instead of the settings', not yet started, closed at the end;
    `ready` is told the gateway once it serves."""
    begin(settings, settings.gateway_id or "gateway")
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bus = bus or connect(settings, holds=True)
    try:
        await _connect(bus, stop, settings)
        if stop.is_set():
            return
        gateway = await start_gateway(settings, bus)
        health = gateway.health
        log.info(
            "listening on %s as %s, health page on http://%s:%d",
            gateway.url,
            gateway.house.by,
            health.host,
            health.port,
        )
        gateway.keep_time()
        if ready is not None:
            ready(gateway)
        await stop.wait()
        log.info("shutting down: %d sessions may finish within %.0f s", len(gateway.engine.sessions), settings.drain)
        await gateway.aclose(settings.drain)
    finally:
        await bus.aclose()


async def _connect(bus: Connecting, stop: asyncio.Event, settings: Settings) -> None:
    """Start the bus; while the server isn't there yet, or takes nothing, say so once, and on the health page, and try again."""
    said = [""]
    waiting: Health | None = None

    async def told(why: str, lasts: bool) -> None:
        nonlocal waiting
        log.log(logging.WARNING if lasts else logging.INFO, "%s; trying again", why)
        said[0] = why
        if waiting is None:
            waiting = Health(settings.health_host, settings.health_port, bytes, said.copy)
            await waiting.start()

    try:
        await until_it_answers(bus.start, told, takewhile(lambda _: not stop.is_set(), repeat(_TRIED_AGAIN)))
    finally:
        if waiting is not None:
            await waiting.aclose()
