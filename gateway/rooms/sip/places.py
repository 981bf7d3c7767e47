"""Where a SIP address leads: host, port, transport; and what is an address at all."""

import asyncio
import re
import socket
from dataclasses import dataclass, replace
from typing import Literal

from aiosipua.headers import parse_uri

from gateway.rooms.sip.sources import Address

PORT = 5060

_URI = re.compile(
    r"(?i)(?P<scheme>sips?):(?:[\w.!~*'()&=+$,/%:-]{1,120}@)?(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.?)"
    r"(?::(?P<port>\d{1,5}))?(?P<params>(?:;[\w.-]+(?:=[\w.%+:\[\]-]+)?)*)",
    re.ASCII,
)
_NUMBER = re.compile(r"(?:tel:)?\+?[\w*#.()-]{1,64}", re.ASCII | re.IGNORECASE)
_LOWEST = 1024


def is_address(target: str) -> bool:
    """Whether it is a SIP address: no line breaks, no headers behind a question mark, nothing that a header would end at."""
    return len(target) <= 200 and _URI.fullmatch(target) is not None


def is_number(target: str) -> bool:
    """Whether it is a number, or a name, without a host of its own."""
    return _NUMBER.fullmatch(target) is not None


def problem(target: str) -> str:
    """Why we can't send a call to a SIP address as it says; "" when we can."""
    found = _URI.fullmatch(target)
    if found is None or len(target) > 200:
        return "this is no SIP address; expected sip:user@host"
    params = dict(item.lower().partition("=")[::2] for item in found["params"].split(";") if item)
    if found["scheme"].lower() == "sips" or params.get("transport", "udp") not in ("udp", "tcp"):
        return "it asks for another transport than UDP or TCP, and there is no TLS here"
    if "maddr" in params:
        return "maddr would send the call elsewhere"
    port = int(found["port"] or PORT)
    if not _LOWEST <= port <= 65_535:
        return f"no phone listens on port {port}; expected {_LOWEST} to 65535"
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """`host`: as it was named; `address`: where it is."""

    host: str
    port: int
    transport: Literal["udp", "tcp"] = "udp"
    address: Address = ("", 0)

    @classmethod
    def of(cls, server: str, transport: Literal["udp", "tcp"] = "udp") -> "Place":
        """From host or host:port."""
        uri = parse_uri(f"sip:{server}")
        return cls(uri.host.strip("[]"), uri.port or PORT, transport)

    @classmethod
    def of_uri(cls, target: str) -> "Place":
        """From sip:user@host:port;transport=tcp."""
        uri = parse_uri(target)
        tcp = (uri.params.get("transport") or "").lower() == "tcp"
        return cls(uri.host.strip("[]"), uri.port or PORT, "tcp" if tcp else "udp")


async def resolve(place: Place) -> Place:
    """With its address. OSError when the name leads nowhere."""
    kind = socket.SOCK_STREAM if place.transport == "tcp" else socket.SOCK_DGRAM
    found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=kind)
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    host, port = found[0][4][:2]
    return replace(place, address=(str(host), int(port)))
