"""This gateway tells the deployment that it is there: where clients reach it, and how much room it has."""

import asyncio
import logging
import socket
from collections.abc import Sequence

from gateway import load
from gateway.http.server import Server
from gateway.sessions.reception import Reception
from schemas.bus import GatewaySeen
from schemas.errors import BusError
from schemas.events import TransportName

log = logging.getLogger("antiphon.gateway")

EVERY = 1.0
"""Seconds between two tellings."""
BELIEVED = 4.0
"""Seconds after which one that tells no more is gone."""
_EVERYWHERE = ("", "0.0.0.0", "::", "[::]")


class Presence:
    """`public_url`: GATEWAY_PUBLIC_URL; `transports`: the kinds of room that sessions begin in here."""

    def __init__(self, reception: Reception, server: Server, transports: Sequence[TransportName], public_url: str = ""):
        self._reception, self._server = reception, server
        self._transports, self._public_url = tuple(transports), public_url
        self._said = ""

    def told(self) -> GatewaySeen:
        """As it is now."""
        own_url = reachable(self._server.host, self._server.port)
        engine, house = self._reception.engine, self._reception.house
        connections = self._server.connections
        readings = load.Readings(
            connections.count,
            connections.most,
            late=load.lateness(engine.late),
            delay=house.delays.seconds(house.clock.now()),
            draining=self._reception.draining,
        )
        unmanned = bool(self._reception.unmanned())
        return GatewaySeen(
            name=house.by,
            url=self._public_url or own_url,
            own_url=own_url,
            places=0 if unmanned or load.full(readings) else readings.capacity - readings.sessions,
            sessions=len(engine.sessions),
            draining=readings.draining,
            transports=self._transports,
            unmanned=unmanned,
        )

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            await self.tell()
            await asyncio.sleep(EVERY)

    async def tell(self) -> None:
        """Once, now. A log that is away is told later: whoever asks it gets no answer, either."""
        await self._advertise(BELIEVED)

    async def take_back(self) -> None:
        """Nobody is sent here any more."""
        await self._advertise(0.0)

    async def _advertise(self, seconds: float) -> None:
        problem = ""
        try:
            await self._reception.house.bus.advertise(self.told(), seconds)
        except BusError as error:
            problem = str(error)
        except Exception:
            log.exception("this gateway could not tell of itself")
        if problem and problem != self._said:
            log.warning("this gateway could not tell of itself: %s", problem)
        self._said = problem


def reachable(host: str, port: int) -> str:
    """The URL of a WebSocket that listens on `host`, as other processes reach it: by the machine's name where it listens
    everywhere."""
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"ws://[{name}]:{port}/ws" if ":" in name else f"ws://{name}:{port}/ws"
