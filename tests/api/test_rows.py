"""The list of sessions, and the stream of what changes in it."""

import asyncio
from dataclasses import replace

import httpx2
import pytest

from api.house import House
from api.sessions import index
from api.sessions.shapes import row_json, row_of
from schemas.errors import BusError, BusUnavailable, FutureEvent
from schemas.events import ParticipantJoined, TurnCommitted
from schemas.log import MemoryBus
from schemas.session.summary import Telling
from tests.api.listening import listening
from tests.api.sessions import XSS, golden, keep, open_session, troubled


async def _names(client: httpx2.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/v1/sessions{query}")
    assert answer.status_code == 200, answer.text
    return [row["session"] for row in answer.json()["sessions"]]


async def test_open_and_closed_sessions_are_listed(client: httpx2.AsyncClient, house: House) -> None:
    """A row says how it goes, and is the same as the one its session is told with."""
    await keep(house, "s1", golden("barge_in"))
    await open_session(house, "s2", name="Ann")
    await house.sessions.look()
    assert (await client.get("/v1/sessions")).json()["unread"] == 1
    await house.sessions.index.read_stored()
    listed = (await client.get("/v1/sessions")).json()
    assert (listed["next"], listed["unread"]) == (None, 0)
    by_name = {row["session"]: row for row in listed["sessions"]}
    assert (by_name["s1"]["state"], by_name["s1"]["p50_ms"], by_name["s1"]["interrupted"]) == ("closed", 605.0, 1)
    assert (by_name["s2"]["state"], by_name["s2"]["activity"]) == ("open", "waiting")
    for name in by_name:
        assert (await client.get(f"/v1/sessions/{name}")).json()["row"] == by_name[name]


@pytest.mark.parametrize("name", ["barge_in", "taken_back", "fallback"])
def test_a_row_is_written_as_it_is_described(name: str) -> None:
    """What is told as it stands, without the model that describes it, is byte for byte what that would write."""
    telling = Telling("s1")
    for event in golden(name):
        telling.add(event)
        told = telling.summary()
        assert row_json(told) == row_of(told).model_dump_json().encode()
    told = replace(told, gist="„Tische“ \u2028", topics=("a", "b"), last=None)
    assert row_json(told) == row_of(told).model_dump_json().encode()


async def test_filters(client: httpx2.AsyncClient, house: House) -> None:
    """Each filter finds what it says, and several of them what all of them say."""
    await keep(house, "slow", golden("early_answer"))
    await keep(house, "broken", golden("fallback"))
    await open_session(house, "ann", name="Ann", agent="booking", transport="websocket")
    await open_session(house, "bob", name=f"Bob {XSS}")
    await house.sessions.look()
    await house.sessions.index.read_stored()
    assert set(await _names(client)) == {"slow", "broken", "ann", "bob"}
    assert set(await _names(client, "?state=open")) == {"ann", "bob"}
    assert await _names(client, "?agent=booking&transport=websocket") == ["ann"]
    assert await _names(client, "?agent=booking&transport=file") == []
    assert await _names(client, "?caller=ANN") == ["ann"]
    assert await _names(client, "?slow_ms=1000") == ["slow"]
    assert await _names(client, "?failed=true") == ["broken"]
    assert set(await _names(client, "?q=room&failed=false")) == {"slow", "ann", "bob"}
    assert await _names(client, "?q=%3Cscript") == ["bob"]
    assert await _names(client, "?since=2999-01-01T00:00:00Z") == []
    assert set(await _names(client, "?since=2026-09-21T00:00:00")) == {"slow", "broken"}


async def test_replays_are_told_from_calls(client: httpx2.AsyncClient, house: House) -> None:
    """Only the one, only the other, or both."""
    await keep(house, "call", golden("plain"))
    await keep(house, "fork-call-1", golden("plain"))
    await house.sessions.look()
    await house.sessions.index.read_stored()
    assert await _names(client, "?forks=true") == ["fork-call-1"]
    assert await _names(client, "?forks=false") == ["call"]
    assert set(await _names(client)) == {"call", "fork-call-1"}


async def test_pages_follow_each_other(client: httpx2.AsyncClient, house: House) -> None:
    """Every session stands on one page, those that began last on the first, though others come meanwhile."""
    for number in range(7):
        await open_session(house, f"s{number}")
    await house.sessions.look()
    first = (await client.get("/v1/sessions?limit=3")).json()
    await open_session(house, "later")
    await house.sessions.look()
    names, cursor = [row["session"] for row in first["sessions"]], first["next"]
    while cursor is not None:
        page = (await client.get("/v1/sessions", params={"limit": 3, "cursor": cursor})).json()
        names += [row["session"] for row in page["sessions"]]
        cursor = page["next"]
    assert names == [f"s{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=1e9:s", "cursor=" + "9" * 400, "limit=0", "limit=1000", "state=gone", "transport=pigeon",
     "since=yesterday", "slow_ms=-1", "slow_ms=nan", "forks=maybe", "q=" + "x" * 300],
)  # fmt: skip
async def test_odd_questions(client: httpx2.AsyncClient, house: House, query: str) -> None:
    """What can't be asked is refused, by the parameter's name."""
    answer = await client.get(f"/v1/sessions?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


async def test_a_session_that_ends_is_listed_as_closed(client: httpx2.AsyncClient, house: House) -> None:
    """From being open to being closed a session is never missing, nor twice there."""
    session = await open_session(house, "s1")
    await house.sessions.look()
    assert await _names(client, "?state=open") == ["s1"]
    await session.close()
    await house.sessions.look()
    assert await _names(client, "?state=open") == []
    assert await _names(client) == ["s1"]
    short = await open_session(house, "s2")
    await short.close()
    await house.sessions.look()
    await house.sessions.look()
    assert await _names(client, "?state=open") == []


async def test_what_the_log_forgets_is_forgotten(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed session is listed as long as its log is kept."""
    monkeypatch.setattr(index, "_SELDOM", 0.0)
    assert isinstance(house.bus, MemoryBus)
    empty = house.bus.save()
    await keep(house, "s1", golden("plain"))
    await house.sessions.look()
    await house.sessions.index.read_stored()
    assert await _names(client) == ["s1"]
    house.bus.restore(empty)
    await house.sessions.look()
    assert await _names(client) == []


async def test_closed_sessions_are_bounded(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more closed sessions than are kept in memory, the oldest are let go."""
    monkeypatch.setattr(index, "MOST_CLOSED", 3)
    for number in range(5):
        session = await open_session(house, f"s{number}")
        await house.sessions.look()
        await session.close()
        await house.sessions.look()
    assert await _names(client) == ["s4", "s3", "s2"]


async def test_the_stream_tells_what_changed(house: House) -> None:
    """A reader has all open sessions at first, and then each that is opened, moves or ends."""
    first = await open_session(house, "s1", name="Ann")
    await house.sessions.look()
    async with listening(house, "/v1/sessions/stream") as reader:
        told = (await reader.next("rows")).data
        assert (told["whole"], [row["session"] for row in told["changed"]]) == (True, ["s1"])
        await open_session(house, "s2")
        await house.sessions.look()
        told = (await reader.next("rows")).data
        assert (told["whole"], [row["session"] for row in told["changed"]]) == (False, ["s2"])
        await first.close()
        await house.sessions.look()
        told = (await reader.next("rows")).data
        assert [(row["session"], row["state"]) for row in told["changed"]] == [("s1", "closed")]
    assert reader.headers["content-type"].startswith("text/event-stream")
    assert reader.headers["cache-control"] == "no-store"


async def test_who_reads_slowly_is_told_anew(house: House) -> None:
    """Nothing piles up for a reader who takes nothing; when it reads again it has all that is open now."""
    await open_session(house, "s0")
    await house.sessions.look()
    async with listening(house, "/v1/sessions/stream") as reader:
        await reader.next("rows")
        reader.takes.clear()
        for number in range(1, 70):
            await open_session(house, f"s{number}")
            await house.sessions.look()
        reader.takes.set()
        assert (await reader.next("rows")).data["changed"][0]["session"] == "s1"  # was under way
        told = (await reader.next("rows")).data
        assert (told["whole"], len(told["changed"])) == (True, 70)


async def test_many_are_told_in_parts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first part says that all of them begin, each but the last that more of them follow."""
    monkeypatch.setattr(index, "_ROWS_AT_ONCE", 2)
    for number in range(5):
        await open_session(house, f"s{number}")
    await house.sessions.look()
    async with listening(house, "/v1/sessions/stream") as reader:
        parts = [(await reader.next("rows")).data for _ in range(3)]
    told = [(part["whole"], part["more"], len(part["changed"])) for part in parts]
    assert told == [(True, True, 2), (False, True, 2), (False, False, 1)]


async def test_a_stream_of_nothing_breathes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing changes a comment is sent now and then, so that nobody between closes it."""
    monkeypatch.setattr(index, "HEARTBEAT", 0.01)
    async with listening(house, "/v1/sessions/stream") as reader:
        assert (await reader.next("rows")).data == {"whole": True, "more": False, "changed": [], "gone": []}
        assert (await reader.next("")).data is None


async def test_readers_are_counted_and_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are only so many; who leaves makes room; at the end all are let go and told to come back."""
    monkeypatch.setattr("api.event_streams.MOST_STREAMS", 1)
    async with listening(house, "/v1/sessions/stream") as reader:
        await reader.next("rows")
        async with listening(house, "/v1/sessions/stream") as refused:
            pass
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert len(house.sessions.streams) == 0
    async with listening(house, "/v1/sessions/stream") as reader:
        await reader.next("rows")
        house.dismiss()
        while len(house.sessions.streams):
            await asyncio.sleep(0)
    assert reader.ended


async def test_one_broken_log_does_not_hide_the_others(client: httpx2.AsyncClient, house: House) -> None:
    """A session that this version can't read is left out, and said so; the others are listed."""

    class OneIsNewer(MemoryBus):
        async def read(self, session: str, after: int = 0, count: int | None = None):  # type: ignore[no-untyped-def]
            if session == "newer":
                from schemas.errors import FutureEvent

                raise FutureEvent("event 1: no type 'x.y' is known here")
            return await super().read(session, after, count)

    house.bus.__class__ = OneIsNewer
    await open_session(house, "newer")
    session = await open_session(house, "s1")
    await house.sessions.look()
    await session.publish(ParticipantJoined(participant="ann"), TurnCommitted(turn=1, why="greeting"))
    await house.sessions.look()
    assert await _names(client) == ["s1"]


@pytest.mark.parametrize("error", [BusError("the log refused a command: WRONGTYPE"), KeyError("turn")])
async def test_whatever_goes_wrong_with_one_concerns_no_other(
    client: httpx2.AsyncClient, house: House, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that can't be told is left out; the rows of others go on, and so do their events."""
    monkeypatch.setattr(index, "_OFTEN", 0.0)
    bad, good = await open_session(house, "bad"), await open_session(house, "good")
    await house.sessions.look()
    async with (
        listening(house, "/v1/sessions/stream") as rows,
        listening(house, "/v1/sessions/good/events/stream?after=1") as events,
    ):
        await rows.next("rows")
        troubled(house).failing["bad"] = error
        for session in (bad, good):
            await session.publish(ParticipantJoined(participant="bob"))
        await house.sessions.look()
        told = (await rows.next("rows")).data
        assert ([row["session"] for row in told["changed"]], told["gone"]) == (["good"], ["bad"])
        assert (await events.next("event")).data["seq"] == 2
    assert await _names(client) == ["good"]


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize(
    "error", [BusError("the log refused a command: WRONGTYPE"), KeyError("turn"), FutureEvent("x.y")]
)
async def test_what_could_not_be_told_is_tried_again(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, ends: bool
) -> None:
    """A session that was left out is listed once it can be read, without a restart and though nothing more comes of it; until
    then it is not read all the time."""
    monkeypatch.setattr(index, "_OFTEN", 0.0)
    monkeypatch.setattr(index, "_AGAIN", 0.0)
    session = await open_session(house, "bad")
    bus = troubled(house)
    bus.failing["bad"] = error
    if ends:
        await session.close()
    await house.sessions.look()
    await house.sessions.index.read_stored()
    assert await _names(client) == []
    tried = len(bus.reads)
    await house.sessions.look()
    assert (await _names(client), len(bus.reads) > tried) == ([], True)
    bus.failing.clear()
    await house.sessions.look()
    assert await _names(client) == ["bad"]
    monkeypatch.setattr(index, "_AGAIN", 1_000.0)
    bus.failing["bad"] = error
    if not ends:
        await session.publish(ParticipantJoined(participant="bob"))
        for _ in range(3):
            await house.sessions.look()
        tried = len(bus.reads)
        await house.sessions.look()
        assert (await _names(client), len(bus.reads)) == ([], tried)


async def test_who_can_be_read_is_listed_though_the_log_fails(client: httpx2.AsyncClient, house: House) -> None:
    """Where it was away for one of them, the others were read to their ends when that is said; and then that one is, too."""
    for name in ("bad", "good"):
        await open_session(house, name)
    bus = troubled(house)
    bus.failing["bad"] = BusUnavailable("loading")
    bus.held.add("good")
    looking = asyncio.create_task(house.sessions.look())
    while len(bus.reads) < 2:
        await asyncio.sleep(0)
    for _ in range(20):  # rounds of the loop, in which an error comes through everything
        await asyncio.sleep(0)
    assert not looking.done()
    bus.goes_on.set()
    with pytest.raises(BusUnavailable):
        await looking
    assert await _names(client) == ["good"]
    bus.failing.clear()
    await house.sessions.look()
    assert await _names(client) == ["good", "bad"]
    assert sorted(bus.reads) == ["bad", "bad", "good"]


async def test_nobody_waits_for_a_long_list(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While some sessions are still being read, events of another are told, and its row."""
    monkeypatch.setattr("api.sessions.watch._FOLLOWED", 0.0)
    monkeypatch.setattr("api.sessions.watch._IDLE", 0.0)
    monkeypatch.setattr("api.sessions.watch._ROWS_TOLD", 0.0)
    session = await open_session(house, "s1")
    bus = troubled(house)
    async with (
        listening(house, "/v1/sessions/stream") as rows,
        listening(house, "/v1/sessions/s1/events/stream?after=1") as events,
    ):
        await rows.next("rows")
        while not len(house.sessions.channels):
            await asyncio.sleep(0)
        for name in ("long", "longer"):
            await open_session(house, name)
            bus.held.add(name)
        following = asyncio.create_task(house.sessions.run())
        assert [row["session"] for row in (await rows.next("rows")).data["changed"]] == ["s1"]
        await session.publish(ParticipantJoined(participant="bob"))
        assert (await events.next("event")).data["seq"] == 2
        assert not bus.goes_on.is_set()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_what_somebody_reads_holds_up_no_row(client: httpx2.AsyncClient, house: House) -> None:
    """A row that waits until somebody else has read its session takes no other row's turn."""
    await open_session(house, "s1")
    busy = [await open_session(house, name) for name in ("long", "longer")]
    for session in busy:
        await client.get(f"/v1/sessions/{session.name}")
        await session.publish(ParticipantJoined(participant="bob"))
    bus = troubled(house)
    bus.held |= {"long", "longer"}
    asking = [asyncio.create_task(house.sessions.stories.told(session.name)) for session in busy]
    while len(bus.reads) < 2:
        await asyncio.sleep(0)
    looking = asyncio.create_task(house.sessions.look())
    async with asyncio.timeout(5):
        while await _names(client) != ["s1"]:
            await asyncio.sleep(0)
    bus.goes_on.set()
    await asyncio.gather(looking, *asking)
    assert await _names(client) == ["longer", "long", "s1"]


async def test_a_hiccup_loses_no_row(client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be read while the log was away is read when it is back, whether it had ended before we came or since."""
    monkeypatch.setattr(index, "_OFTEN", 0.0)
    await (await open_session(house, "before")).close()
    await house.sessions.look()
    bus = troubled(house)
    bus.failing = {"before": BusUnavailable("loading"), "since": BusUnavailable("loading")}
    with pytest.raises(BusUnavailable):
        await house.sessions.index.read_stored()
    for name in ("since", "later"):
        await (await open_session(house, name)).close()
    with pytest.raises(BusUnavailable):
        await house.sessions.look()
    bus.failing.clear()
    await house.sessions.index.read_stored()
    await house.sessions.look()
    assert await _names(client) == ["later", "since", "before"]


async def test_what_ended_first_is_asked_after_first(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long calls that began before it hide no session whose log is gone."""
    monkeypatch.setattr(index, "_SELDOM", 0.0)
    monkeypatch.setattr(index, "_OFTEN", 0.0)
    monkeypatch.setattr(index, "_OLDEST_ASKED", 2)
    calls = [await open_session(house, name) for name in ("long", "longer", "short")]
    await house.sessions.look()
    for call in reversed(calls):
        await call.close()
    await house.sessions.look()
    assert isinstance(house.bus, MemoryBus)
    del house.bus._log[house.bus.partition("short")].sessions["short"]
    await house.sessions.look()
    assert await _names(client) == ["longer", "long"]


async def test_who_ends_twice_counts_once(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session whose end the log has lost, and that ends again, takes no other's place."""
    monkeypatch.setattr(index, "_OFTEN", 0.0)
    monkeypatch.setattr(index, "MOST_CLOSED", 2)
    first, second = await open_session(house, "s1"), await open_session(house, "s2")
    assert isinstance(house.bus, MemoryBus)
    await house.sessions.look()
    saved = house.bus.save()
    await second.close()
    await house.sessions.look()
    house.bus.restore(saved)
    await house.sessions.look()
    assert await _names(client, "?state=closed") == []
    for session in (second, first):
        await session.close()
        await house.sessions.look()
    assert await _names(client, "?state=closed") == ["s2", "s1"]
