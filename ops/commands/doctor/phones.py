"""What `antiphon doctor` and `antiphon up` say about phones."""

import ipaddress
import socket
from collections.abc import Iterator

from gateway.rooms.sip.door import Listen
from gateway.rooms.sip.trunks import Trunks, load_trunks
from ops.commands.doctor.findings import Finding
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, SettingsError

_EVERYWHERE = ("0.0.0.0", "::")


def examine(settings: Settings, ours: str) -> Iterator[Finding]:
    """`ours`: where the stack that runs here answers phones, "" when none does."""
    if not settings.sip_listen:
        found = f"the running stack answers on {ours}" if ours else "no SIP_LISTEN: no phone is answered"
        yield Finding("phones", "ok", found)
        return
    try:
        listen = Listen.of(settings)
    except SettingsError as error:
        yield Finding("phones", "bad", str(error))
        return
    yield _socket(listen, ours == settings.sip_listen)
    if settings.sip_trunks is None:
        yield Finding("trunks", "warn", "no SIP_TRUNKS: nobody may call", "write a trunk file, see docs/phones.md")
        return
    try:
        trunks = load_trunks(settings.sip_trunks)
        names = Agents(settings.agents, strict=False).names
    except AntiphonError as error:
        yield Finding("trunks", "bad", str(error), "correct it; docs/phones.md shows every key")
        return
    problems = list(trunks.unanswered(names))
    for problem in problems:
        yield Finding("trunks", "bad", problem)
    if not problems:
        there = ", ".join(trunk.name for trunk in trunks.trunk)
        yield Finding("trunks", "ok" if there else "warn", f"{settings.sip_trunks}: {there or 'no [[trunk]]'}")
    if (finding := _behind_a_router(settings, listen, trunks)) is not None:
        yield finding


def address(settings: Settings) -> str:
    """host:port at which phones reach us."""
    host, _, port = settings.sip_listen.rpartition(":")
    host = host.strip("[]")
    host = settings.sip_address or _own() if host in _EVERYWHERE else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _socket(listen: Listen, ours: bool) -> Finding:
    name = f"{listen.host}:{listen.port}"
    if ours:
        return Finding("phones", "ok", f"{name}: held by the running stack")
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    for kind, word in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((listen.host, listen.port))
            except OSError as error:
                advice = "set SIP_LISTEN to another port, or end what listens there"
                return Finding("phones", "bad", f"{name} by {word}: {error.strerror}", advice)
    return Finding("phones", "ok", f"{name} is free by UDP and TCP")


def _behind_a_router(settings: Settings, listen: Listen, trunks: Trunks) -> Finding | None:
    """Whether peers on the internet would be told an address they can't reach."""
    own = _own() if listen.host in _EVERYWHERE else listen.host
    if settings.sip_address or not ipaddress.ip_address(own).is_private:
        return None
    outside = [
        trunk.name
        for trunk in trunks.trunk
        if trunk.registration or trunk.outbound or any(not network.is_private for network in trunk.addresses)
    ]
    if not outside:
        return None
    found = f"{own} is no address of the internet, where the peers of {', '.join(outside)} may be"
    return Finding("nat", "warn", found, "if they are, set SIP_ADDRESS to the public address (docs/phones.md, NAT)")


def _own() -> str:
    """This machine's address on the way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
