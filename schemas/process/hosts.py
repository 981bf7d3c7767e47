"""By which names this machine is asked. A page whose owner has pointed its name at 127.0.0.1 (DNS rebinding) shares the origin of
what it finds there, so no browser keeps it from reading; but it can't hide the name it came by."""

import ipaddress
import re
from collections.abc import Collection, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@/\\?#\[\],]+)(?::(\d{1,5}))?")


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without brackets, is this machine and nothing else."""
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def within(host: str, networks: Sequence[Network]) -> bool:
    """Whether `host` is an address in one of `networks`; a name never is. IPv4 within IPv6 counts as itself."""
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)


def host_names(setting: str) -> frozenset[str]:
    """Of a comma-separated setting; each with or without a port."""
    return frozenset(plain for name in setting.split(",") if (plain := _plain(name.strip())))


def is_ours(headers: Sequence[str], allowed: Collection[str] = frozenset()) -> bool:
    """Whether a request's `Host` headers, all of them, name this machine's loopback or one of `allowed` (`host_names`)."""
    if len(headers) != 1 or not (found := _HOST.fullmatch(headers[0])):
        return False
    return is_loopback(found[1].strip("[]")) or not {_plain(found[1]), _plain(headers[0])}.isdisjoint(allowed)


def _plain(host: str) -> str:
    """As names are compared: without case, and without the root's dot."""
    found = _HOST.fullmatch(host)
    if not found:
        return host.lower()
    return found[1].lower().removesuffix(".") + (f":{found[2]}" if found[2] else "")
