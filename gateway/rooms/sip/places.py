"""Where a SIP address leads: host, port, transport."""

import asyncio
import socket
from dataclasses import dataclass, replace
from typing import Literal

from aiosipua.headers import parse_uri

from gateway.rooms.sip.sources import Address

PORT = 5060


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
