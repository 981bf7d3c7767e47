"""Who is let in: whoever shows a key, or a ticket got for one; on loopback everybody, as long as there is no secret and never was
a key. (Whoever had one has a proxy in front, perhaps, for which all are on loopback: API_DEVELOPMENT opens it again.)"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from fastapi import Request

from api.access import tickets
from api.access.who import Who
from api.problems import Problem
from schemas.access.keys import ApiKey, is_shown, looks_like_a_key, public_half
from schemas.access.tokens import TokenRefused, check_secret
from schemas.bus import Admitting
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.process.hosts import is_loopback
from schemas.process.log_clock import LogClock
from schemas.process.tasks import unheard

log = logging.getLogger("antiphon.api.access")

_REFRESHED = 1.0
"""Seconds after which the keys are read anew: a key that was removed is refused by then. Whoever asks in the second half of them
has it done for those who come after."""
_SOUND = re.compile(r"/v1/sessions/[^/]+/audio\.wav")
"""Players can send no header: a session's sound is opened by a ticket in its address, too."""
_HERE = Who("this machine", "admin")
_STRANGER = Who("anonymous", "caller")


@dataclass(frozen=True, slots=True)
class Signed:
    """`ticket`: whoever shows it is `who`, for so many `seconds`; `sound`: the one for addresses."""

    ticket: str
    sound: str
    who: Who
    seconds: int


class KeyGate:
    """`bus`: where the keys are; `clock`: by which tickets are dated. SettingsError: a secret too short. Whether anybody can be
    let in at all is known once the log is there: `check`."""

    def __init__(
        self,
        settings: Settings,
        bus: Admitting,
        now: Callable[[], float] = time.monotonic,
        clock: LogClock | None = None,
    ) -> None:
        self._settings, self._bus, self._now = settings, bus, now
        self._clock = clock or LogClock()
        self._given = settings.gateway_token_secret.get_secret_value()
        if self._given:
            check_secret(self._given)
        self._inside = is_loopback(settings.api_host)
        self._keys: dict[str, ApiKey] | None = None
        self._read = float("-inf")
        self._reading: asyncio.Future[dict[str, ApiKey]] | None = None
        self._keyed = False
        """There are keys, or were: as far as is known."""
        self._made = ""
        self._told: Literal["", "open", "keys", "none"] = ""

    async def let_in(self, request: Request) -> Who:
        shown, in_address = _shown(request)
        keys = await self._present()
        if not shown:
            if self._is_open(keys):
                if not getattr(request.state, "by_our_name", True):
                    raise other_name()
                return _HERE
            if self._settings.api_anonymous == "caller":
                return _STRANGER
            if not keys:
                raise _refused("a key is needed, and there is none: `antiphon key add NAME --role admin` makes one")
            raise _refused("a key is needed: Authorization: Bearer KEY (`antiphon key add` makes one), or sign in")
        if looks_like_a_key(shown):
            return self._by_key(shown, keys)
        if shown.count(".") != 2:
            raise _refused("this is neither a key (antiphon_ID_SECRET) nor a ticket (POST /v1/login gives one)")
        return await self._by_ticket(shown, keys, sound=in_address)

    async def login(self, shown: str) -> Signed:
        """Tickets for a key. One made a moment ago is known. Problem 401."""
        who = self._by_key(shown, await self._read_anew())
        return await self._ticket(who)

    async def renew(self, who: Who) -> Signed:
        """New tickets for who has shown one, or a key. Problem 401: it is time to show the key again; 409: none is needed."""
        if not who.key:
            raise Problem(409, "no_key", "nobody needs a ticket here who has shown no key")
        return await self._ticket(who)

    async def still_lets_in(self, who: Who) -> bool:
        """Somebody who was let in before and is being answered yet. BusError: nobody knows."""
        if 0 < who.until <= self._clock.now():
            return False
        keys = await self._present()
        if not who.key:
            return who is _STRANGER or self._is_open(keys)
        key = keys.get(who.key)
        return key is not None and key.role == who.role

    async def is_open(self) -> bool:
        return self._is_open(await self._present())

    def may_be_open(self) -> bool:
        """Whether it is, as far as is known now; asks nobody."""
        return self._is_open(self._keys or {})

    async def check(self) -> None:
        keys = await self._present()
        if not keys and not self._given and not self._inside:
            raise SettingsError(
                f"API_HOST={self._settings.api_host} can be reached from outside, and there is neither a key nor "
                "GATEWAY_TOKEN_SECRET: make a key first (antiphon key add NAME --role admin), or set API_HOST to 127.0.0.1"
            )

    async def _present(self) -> dict[str, ApiKey]:
        """Those that are good now, by their public half. BusError: nobody knows."""
        age = self._now() - self._read
        if self._keys is None or age > _REFRESHED:
            return await asyncio.shield(self._begin_reading())
        if age > _REFRESHED / 2:
            self._begin_reading()
        return self._keys

    def _begin_reading(self) -> "asyncio.Future[dict[str, ApiKey]]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._read_anew())
            self._reading.add_done_callback(unheard)
        return self._reading

    async def _read_anew(self) -> dict[str, ApiKey]:
        """Once for all who wait for it."""
        began = self._now()
        found = {key.key: key for key in await self._bus.keys()}
        keyed = bool(found) or (self._inside and not self._given and await self._bus.had_keys())
        if began >= self._read:  # else whoever signs in has read them since
            self._keyed, self._keys, self._read = keyed, found, began
            self._tell(found)
        return found

    def _is_open(self, keys: dict[str, ApiKey]) -> bool:
        is_closed = self._keyed and not self._settings.api_development
        return self._inside and not self._given and not keys and not is_closed

    def _tell(self, keys: dict[str, ApiKey]) -> None:
        """Loudly, whenever it changes."""
        before = self._told
        self._told = "open" if self._is_open(keys) else "keys" if keys else "none"
        if before == self._told:
            return
        if self._told == "open":
            log.warning(
                "DEVELOPMENT MODE: there are no keys, so whoever reaches this port may do everything; it is on loopback, and "
                "asked for by loopback's names only. `antiphon key add NAME --role admin` ends it"
            )
        elif self._told == "keys" and before == "open":
            log.warning("there are keys now: everybody needs one")
        elif self._told == "none" and self._given:
            log.warning("there are no keys yet, so nobody can sign in: antiphon key add NAME --role admin")
        elif self._told == "none" and self._inside:
            log.warning(
                "there is no key any more, so nobody can sign in: antiphon key add NAME --role admin makes one; "
                "API_DEVELOPMENT=true lets everybody in without, as before there were keys"
            )

    def _by_key(self, shown: str, keys: dict[str, ApiKey]) -> Who:
        key = keys.get(public_half(shown))
        if not is_shown(key, shown) or key is None:
            raise _refused("there is no such key; it may have been removed, or is not whole (antiphon_ID_SECRET)")
        return Who(key.name, key.role, key.key, int(self._clock.now()))

    async def _by_ticket(self, shown: str, keys: dict[str, ApiKey], *, sound: bool) -> Who:
        try:
            ticket = tickets.verify(await self._secret(), shown, sound=sound, now=self._clock.now())
        except TokenRefused as error:
            raise _refused(str(error)) from None
        key = keys.get(ticket.key)
        if key is None or key.role != ticket.role:
            raise _refused("the key of this ticket was removed; sign in with another")
        return Who(key.name, key.role, key.key, ticket.since, ticket.until)

    async def _ticket(self, who: Who) -> Signed:
        ticket = tickets.Ticket(who.key, who.role, who.since)
        try:
            secret, now = await self._secret(), self._clock.now()
            made, seconds = tickets.mint(secret, ticket, now)
            sound, _ = tickets.mint(secret, replace(ticket, sound=True), now)
        except TokenRefused as error:
            raise _refused(str(error)) from None
        return Signed(made, sound, who, seconds)

    async def _secret(self) -> str:
        """Derived: what a gateway's secret has signed itself never verifies here, whatever it claims to be."""
        if not self._made:
            secret = self._given or await self._bus.ticket_secret()
            self._made = hashlib.sha256(f"{tickets.AUDIENCE} {secret}".encode()).hexdigest()
        return self._made


def other_name() -> Problem:
    """Nobody needs a key here, and a page of somebody else's may have been led here by its own name."""
    return Problem(403, "host", "nobody answers by this name")


def _shown(request: Request) -> tuple[str, bool]:
    """A key or ticket in the header; else, True, a ticket in the address of sound."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip(), False
    opens = request.method in ("GET", "HEAD") and bool(_SOUND.fullmatch(request.scope["path"]))
    in_address = request.query_params.get("ticket", "") if opens else ""
    if looks_like_a_key(in_address):
        raise _refused(
            "a key does not belong into an address, where logs and histories keep it; sign in, and give the ticket"
        )
    return in_address, True


def _refused(detail: str) -> Problem:
    return Problem(401, "key", detail, {"WWW-Authenticate": "Bearer"})
