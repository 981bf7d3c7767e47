"""Event streams last no longer than the key, or the ticket, they were opened with."""

import asyncio
import time

import pytest

from api import event_streams
from api.access import tickets
from api.house import House
from schemas.access.keys import public_half
from tests.api.access.test_gate import anew, made
from tests.api.listening import listening
from tests.api.sessions import open_session

STREAMS = {
    "/v1/sessions/stream": "rows",
    "/v1/sessions/s1/events/stream": "event",
    "/v1/queues/stream": "queues",
    "/v1/latency/stream": "latency",
    "/v1/agents/all/stream": "agents",
}
"""And what each begins with."""


@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_ends_when_its_key_is_removed(house: House, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who had a key and lost it looks on no longer; another reader's stream goes on."""
    monkeypatch.setattr(event_streams, "WELCOME_FOR", 0.01)
    await open_session(house, "s1")
    removed, kept = await made(house, "operator", "bob"), await made(house, "operator")
    async with (
        listening(house, path, authorization=f"Bearer {removed}") as one,
        listening(house, path, authorization=f"Bearer {kept}") as other,
    ):
        await one.next(STREAMS[path])
        await other.next(STREAMS[path])
        await house.bus.remove_key(public_half(removed))
        anew(house)
        async with asyncio.timeout(5):
            while not one.ended:
                await asyncio.sleep(0.005)
        assert not other.ended


async def test_a_stream_ends_with_its_ticket(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket that was copied from a page looks on no longer than it is good; a renewed one does."""
    monkeypatch.setattr(event_streams, "WELCOME_FOR", 0.01)
    shown = await made(house, "operator", "bob")
    signed = await house.gate.login(shown)
    renewed, who = signed.ticket, signed.who
    monkeypatch.setattr(tickets, "GOOD_FOR", 1)
    brief, _ = tickets.mint(await house.gate._secret(), tickets.Ticket(who.key, who.role, who.since))
    path = "/v1/sessions/stream"
    async with (
        listening(house, path, authorization=f"Bearer {brief}") as one,
        listening(house, path, authorization=f"Bearer {renewed}") as other,
    ):
        await one.next("rows")
        await other.next("rows")
        async with asyncio.timeout(5):
            while not one.ended:
                await asyncio.sleep(0.01)
        assert time.time() >= who.since + 1
        assert not other.ended
