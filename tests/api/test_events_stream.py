"""A session's events as they come."""

import asyncio

import pytest

from api.house import House
from schemas.events import ParticipantJoined
from schemas.log import MemoryBus
from tests.api.listening import listening
from tests.api.sessions import XSS, golden, keep, open_session


async def test_events_come_as_they_are_appended(house: House) -> None:
    """First those that are there, then each as it comes, then the end."""
    session = await open_session(house, "s1", name="Ann")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        assert [(await reader.next("event")).data["type"] for _ in range(2)] == [
            "session.started",
            "participant.joined",
        ]
        await session.publish(ParticipantJoined(participant="bob", name=f"{XSS}\n\nevent: end"))
        await house.sessions.look()
        heard = await reader.next("event", "end")
        assert (heard.kind, heard.data["line"]["who"][:8]) == ("event", "<script>")
        await session.close()
        await house.sessions.look()
        assert (await reader.next("event")).data["type"] == "session.ended"
        assert (await reader.next("end")).data == {}
    assert reader.ended


async def test_who_comes_back_misses_nothing(house: House) -> None:
    """Last-Event-ID, or `after`, is where it goes on: nothing twice, nothing left out."""
    await keep(house, "s1", golden("plain"))
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        heard = [await reader.next("event") for _ in range(11)]
    async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=heard[-1].id) as reader:
        heard += [await reader.next("event") for _ in range(8)]
        await reader.next("end")
    assert [one.data["seq"] for one in heard] == list(range(1, 20))
    async with listening(house, "/v1/sessions/s1/events/stream?after=18") as reader:
        assert (await reader.next("event")).data["seq"] == 19


async def test_a_lost_tail_is_noticed_while_one_reads(house: House) -> None:
    """The reader is told which events are no more, and has what came in their place."""
    assert isinstance(house.bus, MemoryBus)
    session = await open_session(house, "s1", name="Ann")
    saved = house.bus.save()
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        await session.publish(*(ParticipantJoined(participant=f"p{number}") for number in range(3)))
        await house.sessions.look()
        assert [(await reader.next("event")).data["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]
        house.bus.restore(saved)
        await session.publish(ParticipantJoined(participant="other"))
        await house.sessions.look()
        assert (await reader.next("event", "rewound")).data == {"after": 2}
        heard = (await reader.next("event")).data
        assert (heard["seq"], heard["body"]["participant"]) == (3, "other")


async def test_a_lost_tail_is_noticed_by_who_comes_back(house: House) -> None:
    """An id names its event's moment, too: if that event is another now, all is told from the beginning."""
    assert isinstance(house.bus, MemoryBus)
    session = await open_session(house, "s1", name="Ann")
    saved = house.bus.save()
    await session.publish(ParticipantJoined(participant="bob"))
    async with listening(house, "/v1/sessions/s1/events/stream?after=2") as reader:
        last = (await reader.next("event")).id
    house.bus.restore(saved)
    await session.publish(ParticipantJoined(participant="other"))
    for known in (last, "900"):
        async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=known) as reader:
            assert (await reader.next("event", "rewound")).data == {"after": 0}
            assert [(await reader.next("event")).data["seq"] for _ in range(3)] == [1, 2, 3]


async def test_who_reads_slowly_is_read_for_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came while a reader took nothing is not kept for it, and still told in order."""
    session = await open_session(house, "s1")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        await reader.next("event")
        reader.takes.clear()
        for number in range(700):
            await session.publish(ParticipantJoined(participant=f"p{number}"))
            if number % 50 == 0:
                await house.sessions.look()
        await house.sessions.look()
        (channel,) = house.sessions.channels._open.values()
        assert len(channel.ring._kept) <= 500
        reader.takes.set()
        assert [(await reader.next("event")).data["seq"] for _ in range(700)] == list(range(2, 702))


async def test_who_takes_nothing_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is stuck does not stay for ever."""
    monkeypatch.setattr("api.event_streams.STUCK", 0.02)
    await open_session(house, "s1")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        reader.takes.clear()
        while not len(house.sessions.streams):
            await asyncio.sleep(0)
        while len(house.sessions.streams):
            await asyncio.sleep(0.005)
    assert not reader.ended
    assert len(house.sessions.channels) == 0


async def test_a_channel_is_closed_with_its_last_reader(house: House) -> None:
    """A session nobody reads is not followed."""
    await open_session(house, "s1")
    async with (
        listening(house, "/v1/sessions/s1/events/stream") as one,
        listening(house, "/v1/sessions/s1/events/stream") as other,
    ):
        await one.next("event")
        await other.next("event")
        assert len(house.sessions.channels) == 1
    assert len(house.sessions.channels) == 0


@pytest.mark.parametrize("known", ["x", "-1", "1-2-3", "1e3", "²", "9" * 40])
async def test_an_id_of_no_stream(house: House, known: str) -> None:
    """What is no id of an event is refused, not taken for the beginning."""
    await open_session(house, "s1")
    async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=known) as reader:
        pass
    assert reader.status == 422


async def test_a_stream_of_nobody(house: House) -> None:
    """There is no stream of a session that isn't there."""
    async with listening(house, "/v1/sessions/nobody/events/stream") as reader:
        pass
    assert reader.status == 404
