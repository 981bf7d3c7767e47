"""How much is read for what is asked."""

import asyncio

import httpx2
import pytest

from api.house import House
from api.sessions import stories
from api.times import iso
from schemas.events import ParticipantJoined
from schemas.log import MemoryBus
from tests.api.listening import listening
from tests.api.sessions import golden, keep, open_session


@pytest.fixture
def decoded(house: House, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each reading of the log brought."""
    read, found = house.bus.read, list[int]()

    async def counted(session: str, after: int = 0, count: int | None = None) -> object:
        events = await read(session, after, count)
        found.append(len(events))
        return events

    monkeypatch.setattr(house.bus, "read", counted)
    return found


async def test_a_page_reads_what_it_tells(client: httpx2.AsyncClient, house: House, decoded: list[int]) -> None:
    """Of a session that is known already no event is decoded beyond the page's last."""
    await keep(house, "s1", golden("plain"))
    await client.get("/v1/sessions/s1")
    decoded.clear()
    page = (await client.get("/v1/sessions/s1/events", params={"limit": 5})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2, 3, 4, 5]
    assert page["next"] == 5
    assert sum(decoded) == 5


async def test_first_events_alone(client: httpx2.AsyncClient, house: House, decoded: list[int]) -> None:
    """The first events of a session that nobody has asked for before are told without reading the others."""
    await keep(house, "s1", golden("plain"))
    page = (await client.get("/v1/sessions/s1/events", params={"limit": 5})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2, 3, 4, 5]
    assert sum(decoded) == 5


@pytest.mark.parametrize("path", ["/v1/sessions/s1", "/v1/sessions/s1/events"])
async def test_first_events_of_another_log(client: httpx2.AsyncClient, house: House, path: str) -> None:
    """First events that were told before the log lost its tail and went on otherwise are told as they are now."""
    await keep(house, "s1", golden("plain"))
    first = (await client.get("/v1/sessions/s1/events", params={"limit": 5})).json()["events"]
    bus = house.bus
    assert isinstance(bus, MemoryBus)
    kept = bus._log[bus.partition("s1")].sessions["s1"]
    kept.events[3:] = [event.model_copy(update={"at": event.at + 2_000}) for event in kept.events[3:]]
    kept.at = kept.events[-1].at
    await client.get(path)
    again = (await client.get("/v1/sessions/s1/events", params={"limit": 5})).json()["events"]
    assert again[:3] == first[:3]
    assert [one["at"] for one in again[3:]] == [iso(event.at) for event in kept.events[3:5]]


async def test_what_was_told_is_told_again(client: httpx2.AsyncClient, house: House, decoded: list[int]) -> None:
    """Events that were told once are told to the next who asks as they were, and nothing is read for it."""
    await keep(house, "s1", golden("plain"))
    pages = [
        (await client.get("/v1/sessions/s1/events", params={"after": after, "limit": 6})).json() for after in (2, 0)
    ]
    decoded.clear()
    again = (await client.get("/v1/sessions/s1/events", params={"after": 2, "limit": 6})).json()
    assert again == pages[0]
    assert [event["seq"] for event in pages[1]["events"]] == [1, 2, 3, 4, 5, 6]
    assert decoded == []


async def test_many_read_one_stream(house: House, decoded: list[int]) -> None:
    """Who comes to a stream that others read is told what they were told, and the log is not read for it."""
    events = golden("plain")[:-1]
    await keep(house, "s1", events)
    async with listening(house, "/v1/sessions/s1/events/stream") as first:
        heard = [await first.next("event") for _ in events]
        decoded.clear()
        async with listening(house, "/v1/sessions/s1/events/stream") as second:
            assert [await second.next("event") for _ in events] == heard
    assert decoded == []


async def test_what_is_listed_followed_and_asked_for_is_read_once(
    client: httpx2.AsyncClient, house: House, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a session that goes on each event is decoded once, however many look at it in whichever way."""
    monkeypatch.setattr("api.sessions.index._OFTEN", 0.0)
    session = await open_session(house, "s1", name="ann")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        await reader.next("event")
        await house.sessions.look()
        decoded.clear()
        await session.publish(*(ParticipantJoined(participant=f"p{number}", name=f"p{number}") for number in range(3)))
        await house.sessions.look()
        told = (await client.get("/v1/sessions/s1")).json()
        rows = (await client.get("/v1/sessions", params={"q": "p2"})).json()["sessions"]
        assert [(await reader.next("event")).data["seq"] for _ in range(4)] == [2, 3, 4, 5]
    assert told["row"] == rows[0]
    assert sum(decoded) == 4  # with the one before, by which the log is known


async def test_who_asks_first_does_not_wait(client: httpx2.AsyncClient, house: House, decoded: list[int]) -> None:
    """Sessions that go on, and the latest of those that had ended before, are read before anybody asks for them."""
    await keep(house, "ended", golden("plain"))
    await open_session(house, "live")
    await house.sessions.look()
    await house.sessions.index.read_stored()
    await house.sessions.index.tell_ahead()
    decoded.clear()
    for path in ("ended", "live", "ended/events"):
        assert (await client.get(f"/v1/sessions/{path}")).status_code == 200
    assert decoded == []


async def test_what_nobody_asked_for_gives_way(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that somebody has asked for is let go of for it, and without room nothing is read ahead."""
    monkeypatch.setattr(stories, "_KEPT", 3)
    for name in ("s1", "s2", "s3", "s4"):
        await keep(house, name, golden("plain"))
    await client.get("/v1/sessions/s1")
    await house.sessions.look()
    await house.sessions.index.read_stored()
    await house.sessions.index.tell_ahead()
    kept = house.sessions.stories
    assert "s1" in kept
    assert sum(name in kept for name in ("s2", "s3", "s4")) == 1
    for name in ("s2", "s3", "s1", "s4"):
        await client.get(f"/v1/sessions/{name}")
    assert [name in kept for name in ("s1", "s2", "s3", "s4")] == [True, False, True, True]


async def test_a_story_that_is_followed_is_kept(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others are asked for meanwhile; and the list goes on with what a story that was let go had told."""
    monkeypatch.setattr(stories, "_KEPT", 1)
    monkeypatch.setattr("api.sessions.index._OFTEN", 0.0)
    followed, other = await open_session(house, "s1"), await open_session(house, "s2")
    await client.get("/v1/sessions/s2")
    await house.sessions.look()
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        await reader.next("event")
        await keep(house, "s3", golden("plain"))
        await client.get("/v1/sessions/s3")
        for session in (followed, other):
            await session.publish(ParticipantJoined(participant="bob", name="Bob"))
        await house.sessions.look()
        assert (await reader.next("event")).data["seq"] == 2
    rows = (await client.get("/v1/sessions", params={"caller": "bob"})).json()["sessions"]
    assert {row["session"] for row in rows} == {"s1", "s2"}


async def test_who_comes_while_a_story_is_read_misses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that another question has on its way are told to who begins to follow meanwhile."""
    monkeypatch.setattr("api.sessions.stories.PAGE", 2)
    session = await open_session(house, "s1")
    await house.sessions.stories.told("s1")
    await session.publish(*(ParticipantJoined(participant=f"p{number}") for number in range(100)))
    asked = asyncio.create_task(house.sessions.stories.told("s1"))
    await asyncio.sleep(0)
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        assert [(await reader.next("event")).data["seq"] for _ in range(101)] == list(range(1, 102))
        await asked
