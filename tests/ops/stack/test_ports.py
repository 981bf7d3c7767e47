"""Ports of a stack: what was asked for is had or named, what is usual is had or replaced."""

import os
import socket
from collections.abc import Iterator

import pytest

from ops.stack.ports import Ports
from ops.stack.system import free_port
from schemas.config.settings import load
from schemas.errors import SettingsError


@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port of loopback that this process listens on, for TCP and UDP."""
    port = free_port()
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        tcp.listen()
        udp.bind(("127.0.0.1", port))
        yield port


@pytest.mark.parametrize("setting", ["GATEWAY_PORT", "API_PORT"])
def test_a_port_asked_for_and_taken_is_named(setting: str, taken: int) -> None:
    """Who has set a port that is taken is told the setting, the port, and who has it, before anything starts."""
    told: list[str] = []
    settings = load(**{setting.lower(): taken})
    ports = Ports(settings, free=False, on_other=told.append)
    says = rf"{setting}: TCP port {taken} of 127\.0\.0\.1 is taken by .+ \(pid {os.getpid()}\)"
    with pytest.raises(SettingsError, match=says):
        ports.check(gateway=True, api=True, phones=True)
    with pytest.raises(SettingsError, match=says):
        ports.of("it", taken, setting=setting)
    assert told == []
    Ports(settings, free=True, on_other=told.append).check(gateway=True, api=True, phones=True)


def test_where_phones_are_answered_is_asked_for(taken: int) -> None:
    """SIP_LISTEN at a port that is taken is named, with any free ports for the rest, too."""
    ports = Ports(load(sip_listen=f"127.0.0.1:{taken}"), free=True, on_other=lambda _: None)
    with pytest.raises(SettingsError, match=rf"SIP_LISTEN: TCP port {taken} .* \(pid {os.getpid()}\)"):
        ports.check(gateway=True, api=True, phones=True)
    ports.check(gateway=True, api=True, phones=False)


def test_a_usual_port_that_is_taken_is_said_and_another_given(taken: int) -> None:
    """A port nobody has asked for keeps nobody from a start: another is taken, and both are named."""
    told: list[str] = []
    ports = Ports(load(), free=False, on_other=told.append)
    for kind in ("TCP", "UDP"):
        other = ports.of("valkey", taken, kind)
        assert other != taken
        assert told.pop().startswith(f"valkey: its usual {kind} port {taken} is taken by ")
    free = free_port()
    assert ports.of("valkey", free) == free
    assert told == []


def test_no_port_is_given_twice() -> None:
    """A usual port that somebody asks for by another setting is theirs; the same one asked for twice is an error."""
    told: list[str] = []
    asked = free_port()
    ports = Ports(load(gateway_port=asked), free=False, on_other=told.append)
    assert ports.of("api", asked, setting="API_PORT") != asked
    assert ports.of("gateway-1", asked, setting="GATEWAY_PORT") == asked
    assert "is asked for by GATEWAY_PORT" in told[0]
    with pytest.raises(SettingsError, match=f"are both {asked}"):
        Ports(load(gateway_port=asked, api_port=asked), free=False, on_other=told.append).check(True, True, False)
