"""The public port: what everybody passes who comes by HTTP. What is said there is the doors' business, whose routes it is given.

Health and figures have another port (`schemas/process/health`)."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.bucket import Bucket
from gateway.http.admission import Admission, TurnedAway
from gateway.http.connections import LARGEST_BODY, Connections, DoorLimits, Visitor, caller_of
from gateway.http.opens import Opens
from gateway.sessions.house import House
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.process.log_clock import LogClock

log = logging.getLogger("antiphon.gateway.admission")

_NOTED = 0.1, 20.0
"""Refusals whose reason stands in the log, a second and at once."""


@dataclass(frozen=True, slots=True)
class PublicPort:
    """`secret`, `origins`, `hosts`: see Admission; `limits`: how many may come."""

    host: str
    port: int
    secret: str = field(default="", repr=False)
    origins: str = ""
    hosts: str = ""
    limits: DoorLimits = field(default_factory=DoorLimits)

    @classmethod
    def of(cls, settings: Settings) -> "PublicPort":
        secret = settings.gateway_token_secret.get_secret_value()
        origins, hosts = settings.gateway_allowed_origins, settings.gateway_allowed_hosts
        return cls(settings.gateway_host, settings.gateway_port, secret, origins, hosts, DoorLimits.of(settings))


class Server:
    """`sessions`: of this gateway, by name. SettingsError: nobody may be let in so (Admission)."""

    def __init__(self, public: PublicPort, house: House, sessions: Collection[str]):
        self._public, self._house = public, house
        self.port = public.port
        self.clock = LogClock()
        """By which tokens are judged."""
        self.admission = Admission(
            public.host, secret=public.secret, origins=public.origins, hosts=public.hosts, notes=self._notes,
            now=self.clock.now,
        )  # fmt: skip
        self.connections = Connections(public.limits, self.refused)
        self.opens = Opens(public.limits, house.clock, sessions)
        self._noted = Bucket.full(_NOTED[0], house.clock.now(), _NOTED[1])
        self._routes: list[web.RouteDef] = []
        self._listener: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None

    @property
    def host(self) -> str:
        return self._public.host

    @property
    def url(self) -> str:
        """For clients."""
        return f"ws://{self._public.host}:{self.port}/ws"

    def add(self, routes: Iterable[web.RouteDef]) -> None:
        """A door's, before `start`."""
        self._routes.extend(routes)

    def begins(self, request: web.Request) -> tuple[str, ...]:
        """Somebody wants a session, or to come back to one: answers who, for `opens`. TurnedAway: they want too many."""
        return self.opens.begin(caller_of(request, self.connections.proxies), self.admission.token_of(request))

    def refused(self, why: str) -> None:
        """One more that was not let in."""
        self._house.metrics.refused.labels(why).inc()

    def turned_away(self, refusal: TurnedAway) -> None:
        """Likewise; what strangers are not told stands in the log, unless they ask too often."""
        self.refused(refusal.code)
        if refusal.detail and self._notes():
            log.warning("a client was refused (%s): %s", refusal.code, refusal.detail)

    def _notes(self) -> bool:
        return self._noted.take(self._house.clock.now())

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. SettingsError when the port is taken."""
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it prints subprotocols: some put tokens there
        app = web.Application(
            middlewares=[self.connections.attend, self.admission.check_host], client_max_size=LARGEST_BODY
        )
        app.add_routes(self._routes)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await self._runner.setup()
        manager, loop = self._runner.server, asyncio.get_running_loop()
        assert manager is not None
        try:
            self._listener = await loop.create_server(
                lambda: Visitor(self.connections, manager, loop), self._public.host, self.port, backlog=1024
            )
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"GATEWAY_PORT={self.port}: cannot listen on {self._public.host} ({error.strerror}); "
                "take another, or 0 for any free one"
            ) from None
        self.port = self._listener.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
