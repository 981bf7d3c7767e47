"""Being at home at a provider: registered, refreshed, and after a failure registered again."""

import asyncio
import logging
from ipaddress import ip_network

from aiosipua.auth import SipDigestAuth
from aiosipua.message import SipResponse
from aiosipua.registration import Registration
from aiosipua.uac import SipUAC

from gateway.rooms.sip.gate import Gate
from gateway.rooms.sip.places import Place, resolve
from gateway.rooms.sip.screening import Screening
from gateway.rooms.sip.tcp import TcpWire
from gateway.rooms.sip.trunks import Provider, Trunk, secret
from gateway.rooms.sip.wire import Wire, facing
from schemas.process.backoff import Backoff
from schemas.process.numbers import numbers_shortened, shortened
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.gateway.sip")

_SHORTEST, _LONGEST = 30, 86_400
"""Seconds a registration may be good for, whatever the server says: one of none would be renewed without end."""


class _Bounded(Registration):
    def _granted_expires(self, response: SipResponse) -> int:
        return min(max(super()._granted_expires(response), _SHORTEST), _LONGEST)


class Registrar:
    """One trunk's registration, kept up for ever. Its server may call us from then on."""

    def __init__(self, trunk: Trunk, provider: Provider, uac: SipUAC, wire: Wire, gate: Gate, screening: Screening):
        self._trunk, self._provider, self._uac, self._wire = trunk, provider, uac, wire
        self._gate, self._screening = gate, screening
        self._news = asyncio.Event()
        self._problem = self._host = ""
        self._registration: Registration | None = None
        self.registered = False

    async def run(self) -> None:
        delays = Backoff(5.0, 300.0, (0.8, 1.2))
        while True:
            self._news.clear()
            try:
                await self._register()
                await self._news.wait()
            except OSError as error:
                self._problem = f"{self._provider.server} can't be reached ({error})"
            if self.registered:
                delays.reset()
            self.registered = False
            log.warning("trunk %s is not registered: %s; trying again", self._trunk.name, self._problem)
            await asyncio.sleep(next(delays))

    async def _register(self) -> None:
        provider = self._provider
        place = await resolve(Place.of(provider.server, provider.transport))
        host = place.address[0]
        if self._host and self._host != host and self._screening.registrars.get(self._host) is self._trunk:
            del self._screening.registrars[self._host]  # somebody else's may it be by now
            self._gate.remove(ip_network(self._host))
        self._host = host
        self._gate.add(ip_network(host))
        self._screening.registrars[host] = self._trunk
        if isinstance(self._wire, TcpWire):
            await self._wire.connect(place.address)
        self._forget()
        one = _Bounded(
            self._uac, f"sip:{provider.user}@{place.host}", place.address, expires=provider.expires,
            auth=SipDigestAuth(provider.user, secret(provider.secret)) if provider.secret else None,
            contact_uri=f"sip:{provider.user}@{facing(*place.address, self._wire.advertised)}:{self._wire.port}",
        )  # fmt: skip
        one.on_registered = self._succeeded
        one.on_failed = lambda _, status, reason: self._failed(
            f"{provider.server} says {status} {numbers_shortened(one_line(reason, 200), bare=True)}"
        )
        one.on_expired = lambda _: self._failed("the registration ran out")
        self._registration = one
        one.register()

    def _succeeded(self, _: Registration) -> None:
        if not self.registered:
            user = shortened(self._provider.user)
            log.info("trunk %s is registered at %s as %s", self._trunk.name, self._provider.server, user)
        self.registered = True

    def _failed(self, problem: str) -> None:
        self._problem = problem
        self._news.set()

    def unanswered(self, call_id: str) -> None:
        """A REGISTER of this Call-ID got no answer."""
        if self._registration is not None and self._registration.call_id == call_id:
            self._failed(f"{self._provider.server} does not answer")

    def _forget(self) -> None:
        if self._registration is not None:
            self._registration._cancel_timers()
            self._uac._registrations.pop(self._registration.call_id, None)

    def leave(self) -> None:
        """Tell the provider that we are gone."""
        if self._registration is not None and self.registered:
            self._registration.unregister()
