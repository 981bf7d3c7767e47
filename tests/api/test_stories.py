"""What is kept of what was read, and what gives way."""

import httpx2
import pytest

from api.house import House
from api.sessions import stories
from schemas.events import ParticipantJoined
from tests.api.sessions import Growing, golden, keep, open_session, troubled


@pytest.fixture(autouse=True)
def at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.sessions.index._OFTEN", 0.0)


async def _long(house: House, name: str, events: int) -> Growing:
    session = await open_session(house, name)
    await session.publish(*(ParticipantJoined(participant="bob") for _ in range(events)))
    return session


async def test_what_has_no_room_is_not_read_again(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two live sessions that don't fit in together, each look reads what is new, and no more; what was asked for stays."""
    monkeypatch.setattr(stories, "_EVENTS_KEPT", 300)
    await open_session(house, "asked")
    await client.get("/v1/sessions/asked")
    sessions = [await _long(house, name, 200) for name in ("s1", "s2")]
    await house.sessions.look()
    assert [session.name in house.sessions.stories for session in sessions] == [False, True]  # the latest has the room
    bus = troubled(house)
    for _ in range(3):
        for session in sessions:
            await session.publish(ParticipantJoined(participant="ann"))
        bus.reads.clear()
        await house.sessions.look()
        assert sorted(bus.reads) == ["s1", "s2"]
        assert "asked" in house.sessions.stories


async def test_what_gave_way_is_not_read_again(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live session whose story was let go is listed with what is new in it, though there is room again."""
    monkeypatch.setattr(stories, "_EVENTS_KEPT", 300)
    session = await _long(house, "s1", 200)
    await house.sessions.look()
    await _long(house, "asked", 200)
    await client.get("/v1/sessions/asked")
    bus = troubled(house)
    del bus._log[bus.partition("asked")].sessions["asked"]
    assert (await client.get("/v1/sessions/asked")).status_code == 404
    await session.publish(ParticipantJoined(participant="ann"))
    await house.sessions.look()
    assert bus.reads == ["s1"]


async def test_a_long_session_makes_nothing_give_way(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is longer than all that is kept is listed, and what was asked for stays."""
    monkeypatch.setattr(stories, "_EVENTS_KEPT", 300)
    await open_session(house, "s1")
    await client.get("/v1/sessions/s1")
    long = await _long(house, "long", 320)
    bus = troubled(house)
    for _ in range(3):
        await house.sessions.look()
        assert "s1" in house.sessions.stories
        assert len((await client.get("/v1/sessions")).json()["sessions"]) == 2
        bus.reads.clear()
        await long.publish(ParticipantJoined(participant="ann"))
    assert "long" not in house.sessions.stories


async def test_what_was_read_ahead_gives_way_first(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first events are read ahead, too, and it is still let go before what somebody has asked for."""
    await open_session(house, "asked")
    await client.get("/v1/sessions/asked")
    for name in ("c1", "c2"):
        await keep(house, name, golden("plain"))
    await house.sessions.look()
    await house.sessions.index.read_stored()
    await house.sessions.index.tell_ahead()
    assert all(name in house.sessions.stories for name in ("asked", "c1", "c2"))
    monkeypatch.setattr(stories, "_KEPT", 2)
    await keep(house, "next", golden("plain"))
    await client.get("/v1/sessions/next")
    assert [name in house.sessions.stories for name in ("asked", "next", "c1", "c2")] == [True, True, False, False]


async def test_a_long_session_does_not_end_reading_ahead(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is no room for is passed over."""
    monkeypatch.setattr(stories, "_EVENTS_KEPT", 30)
    await keep(house, "short", golden("plain"))
    await (await _long(house, "long", 40)).close()
    await house.sessions.look()
    await house.sessions.index.read_stored()
    await house.sessions.index.tell_ahead()
    assert [name in house.sessions.stories for name in ("short", "long")] == [True, False]
