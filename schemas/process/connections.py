"""How many connections there may be at a public port, in all and from one address; and who an address counts as.

A connection that has nothing to do (no request yet, or none any more) gives way to one that comes when there are too many:
half-open ones, however many, keep nobody out.
"""

import ipaddress
import re
import resource
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from schemas.errors import SettingsError
from schemas.process.hosts import Network, within

Proxies = tuple[Network, ...]

_OTHER_FILES = 1024
"""Files of ours besides: phones' sound, models, the log."""


class Connection(Protocol):
    """`address`: its `neighbourhood`; `proxy`: it is one of our own proxies'."""

    address: str
    proxy: bool

    def leave(self) -> None:
        """At once: somebody else needs the place."""


One = TypeVar("One", bound=Connection)


def open_files(wanted: int) -> int:
    """Have the system let us open so many files and some more; answers how many of `wanted` there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_FILES))


def proxies_of(setting: str, name: str) -> Proxies:
    """Addresses or networks, comma-separated; `name`: of the setting. SettingsError."""
    found = []
    for given in filter(None, (given.strip() for given in setting.split(","))):
        try:
            found.append(ipaddress.ip_network(given, strict=False))
        except ValueError:
            raise SettingsError(f"{name}={given}: expected an address, or a network such as 10.0.0.0/8") from None
    return tuple(found)


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """Whom an address counts as: IPv4 as itself, IPv6 as its /64, which one household has all of."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False)) if not found.is_loopback else str(found)
    return str(found)


_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|(\d[\d.]*))(?::\d{1,5})?", re.ASCII)


def _without_port(name: str) -> str:
    """An address as some proxies write it, with the port it came from, which is another one each time."""
    found = _WITH_PORT.fullmatch(name)
    return (found[1] or found[2]) if found else name


def spoken_for(peer: str, forwarded: Sequence[str], proxies: Proxies) -> str:
    """Whom a request comes from, as `neighbourhood` has it: by our own proxies' word (`forwarded`: its X-Forwarded-For headers),
    nobody else's."""
    told = ",".join(forwarded).split(",") if within(peer, proxies) else []
    for address in reversed([_without_port(name.strip()) for name in told if name.strip()]):
        if not within(address, proxies):
            return neighbourhood(address)
    return neighbourhood(peer)


class Crowd(Generic[One]):
    """Those who are connected to one server: `most` of them, `most_of_one` from one address. `turned_away`: told of each that is
    not let in, or has to go for another, with why."""

    def __init__(self, most: int, most_of_one: int, turned_away: Callable[[str], None] = lambda _: None):
        self.most, self._most_of_one, self._turned_away = most, most_of_one, turned_away
        self._by_address: dict[str, dict[One, None]] = {}
        self._idle: dict[One, None] = {}
        self.count = 0

    def admit(self, visitor: One) -> str:
        """Why not, if not."""
        neighbours = self._by_address.get(visitor.address, {})
        crowded = not visitor.proxy and len(neighbours) >= self._most_of_one
        if crowded and not self._make_room(next((one for one in neighbours if one in self._idle), None)):
            return self._no("address", f"this address has {len(neighbours)} connections already")
        if self.count >= self.most and not self._make_room(next(iter(self._idle), None)):
            return self._no("connections", "there are too many connections; try again")
        self._by_address.setdefault(visitor.address, {})[visitor] = None
        self._idle[visitor] = None
        self.count += 1
        return ""

    def busy(self, visitor: One) -> None:
        """It has something to do: it stays."""
        self._idle.pop(visitor, None)

    def idle(self, visitor: One) -> None:
        """It has nothing to do any more."""
        if visitor in self._by_address.get(visitor.address, {}):
            self._idle[visitor] = None

    def gone(self, visitor: One) -> None:
        neighbours = self._by_address.get(visitor.address, {})
        if visitor not in neighbours:
            return
        del neighbours[visitor]
        if not neighbours:
            del self._by_address[visitor.address]
        self._idle.pop(visitor, None)
        self.count -= 1

    def nonsense(self) -> None:
        """Somebody sent what is no HTTP, or left in the middle of it."""
        self._turned_away("nonsense")

    def _make_room(self, oldest: One | None) -> bool:
        if oldest is None:
            return False
        self.gone(oldest)
        oldest.leave()
        self._turned_away("idle")
        return True

    def _no(self, code: str, message: str) -> str:
        self._turned_away(code)
        return message
