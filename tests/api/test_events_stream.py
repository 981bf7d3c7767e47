"""A session's events as they come."""

import asyncio
import json

import httpx2
import pytest

from api.event_streams import Bell
from api.house import House
from api.sessions.channels import Place
from api.sessions.stories import Stories
from api.sessions.watch import Sessions
from schemas.errors import FutureEvent
from schemas.events import Event, ParticipantJoined
from schemas.log import MemoryBus
from schemas.session.sound import Score
from tests.api.listening import Listening, listening
from tests.api.sessions import XSS, golden, keep, open_session, troubled


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


async def test_who_was_told_more_elsewhere_goes_on(house: House) -> None:
    """An event that another process has told, and that isn't read here yet, is no lost one."""
    session = await open_session(house, "s1")
    elsewhere = Sessions(house.bus)
    async with listening(house, "/v1/sessions/s1/events/stream") as first:
        await first.next("event")
        await session.publish(ParticipantJoined(participant="bob"))
        story = await elsewhere.stories.told("s1")
        last = str(Place(story.state.seq, story.state.at))
        async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=last) as second:
            assert (await first.next("event")).data["seq"] == 2
            await session.publish(ParticipantJoined(participant="ann"))
            await house.sessions.look()
            heard = await second.next("event", "rewound")
            assert (heard.kind, heard.data.get("seq")) == ("event", 3)


async def test_what_cannot_be_read_is_no_end(house: House) -> None:
    """Readers are let go without that word; who comes back is told why, and goes on as soon as it can be read."""
    session = await open_session(house, "s1")
    bus = troubled(house)
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        last = (await reader.next("event")).id
        await session.publish(ParticipantJoined(participant="bob"))
        bus.failing["s1"] = FutureEvent("event 2: no type 'x.y' is known here")
        await house.sessions.look()
        await _ended(reader)
        assert b"event: end" not in reader.body
    async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=last) as refused:
        pass
    assert (refused.status, json.loads(refused.body)["code"]) == (500, "unreadable")
    bus.failing.clear()
    async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=last) as reader:
        assert (await reader.next("event", "rewound")).data["seq"] == 2


async def test_one_feed_that_breaks_ends_no_other(house: House) -> None:
    """Whatever goes wrong with one session's events, those of the others come."""
    sessions = [await open_session(house, name) for name in ("bad", "good")]
    async with (
        listening(house, "/v1/sessions/bad/events/stream") as bad,
        listening(house, "/v1/sessions/good/events/stream") as good,
    ):
        await bad.next("event")
        await good.next("event")
        troubled(house).failing["bad"] = KeyError("turn")
        for session in sessions:
            await session.publish(ParticipantJoined(participant="bob"))
        await house.sessions.look()
        assert (await good.next("event")).data["seq"] == 2
        await _ended(bad)


@pytest.mark.parametrize("asks", ["the follower", "somebody else"])
async def test_a_story_that_breaks_in_the_middle_is_told_anew(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch, asks: str
) -> None:
    """An event that could be told in part only lets its readers go; who comes back has it, and the session is told as a house
    tells it that had no trouble."""
    session = await open_session(house, "s1")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        last = (await reader.next("event")).id
        with monkeypatch.context() as trouble:
            trouble.setattr(Score, "add", _broken)
            await session.publish(ParticipantJoined(participant="bob"), ParticipantJoined(participant="cy"))
            if asks == "the follower":
                await house.sessions.look()
            else:
                assert (await client.get("/v1/sessions/s1")).status_code == 500
        await _ended(reader)
        assert b"event: end" not in reader.body
    async with listening(house, "/v1/sessions/s1/events/stream", last_event_id=last) as reader:
        assert [(await reader.next("event", "rewound")).data["seq"] for _ in range(2)] == [2, 3]
        await session.publish(ParticipantJoined(participant="dee"))
        await house.sessions.look()
        assert (await reader.next("event", "rewound")).data["seq"] == 4
    untroubled = await Stories(house.bus).told("s1")
    assert (await client.get("/v1/sessions/s1")).content == untroubled.json()


def _broken(_: Score, __: Event) -> None:
    raise RuntimeError("no score")


async def test_a_log_that_is_gone_is_an_end(house: House) -> None:
    """Nothing comes of it any more."""
    assert isinstance(house.bus, MemoryBus)
    empty = house.bus.save()
    await open_session(house, "s1")
    async with listening(house, "/v1/sessions/s1/events/stream") as reader:
        await reader.next("event")
        house.bus.restore(empty)
        await house.sessions.look()
        assert (await reader.next("end")).data == {}


async def _ended(reader: Listening) -> None:
    async with asyncio.timeout(5):
        while not reader.ended:
            await asyncio.sleep(0)


async def test_a_bell_forgets_who_left() -> None:
    """Nothing is kept of a reader that was let go, or that waited in vain, though it never rings."""
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(60))
    assert not await bell.wait(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not bell._waiting
