"""How much is read for what is asked."""

import httpx2
import pytest

from api.house import House
from api.times import iso
from schemas.log import MemoryBus
from tests.api.listening import listening
from tests.api.sessions import golden, keep


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
