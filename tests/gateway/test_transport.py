"""The ways into a session."""

from typing import get_args

from gateway.main import transports
from schemas.events import TransportName
from schemas.process.clock import MonotonicClock


def test_every_way_is_listed() -> None:
    """A gateway knows of every transport the log may name: none falls through."""
    names = [one.name for one in transports(MonotonicClock(), None)]
    assert sorted(names) == sorted(get_args(TransportName))


def test_whom_a_gateway_leaves_to_others() -> None:
    """Without LiveKit, its sessions are for gateways that have it, and for those only; phones can't be handed on."""
    known = {one.name: one for one in transports(MonotonicClock(), None)}
    assert [name for name, one in known.items() if one.left_to_others] == ["livekit"]
    assert "LIVEKIT_URL" in known["livekit"].left_to_others
    assert [name for name, one in known.items() if one.dies_with_us] == ["sip"]
