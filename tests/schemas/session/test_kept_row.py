"""What a list says of a session that is over, kept with its log."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import msgpack
import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus, Outcome, SessionInfo
from schemas.clock import Micros
from schemas.errors import BusReadOnly
from schemas.events import Event
from schemas.log import MemoryBus, RedisBus
from schemas.session import kept_row
from schemas.session.listing import Rows
from schemas.session.row import Answer, Row, Summary
from schemas.session.summary import Telling, Wanted
from tests.golden import scenarios
from tests.schemas.log.test_taking_in import KINDS, paged, started


def told(log: list[Event]) -> tuple[Summary, tuple[Answer, ...]]:
    telling = Telling("s1")
    telling.add_all(log)
    return telling.summary(), tuple(telling.answers)


def info_of(summary: Summary) -> SessionInfo:
    return SessionInfo(summary.session, 0, summary.seq, "closed", "g", 1, 0, Micros(0), summary.at)


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda one: one.__name__)
def test_it_comes_back_as_it_was(scenario: Callable[[], list[Event]]) -> None:
    """With everybody who was there, all its answers and what was collected."""
    summary, answers = told(scenario())
    summary = replace(summary, topics=("trains",), fields={"day": "Monday", "seats": 2}, result={"a": [1, None]})
    packed = kept_row.dump(summary, answers)
    assert packed is not None
    assert kept_row.load(packed, info_of(summary)) == (summary, answers)


def test_what_is_not_of_this_log_or_these_rules_is_not_read() -> None:
    """Nor what is no row at all: then the log is folded. What can't be packed, or is large, is not kept."""
    summary, answers = told(scenarios.plain())
    packed = kept_row.dump(summary, answers)
    assert packed is not None
    info = info_of(summary)
    for other in (replace(info, seq=3), replace(info, last_activity=Micros(3)), replace(info, session="s2")):
        assert kept_row.load(packed, other) is None
    versions, *rest = msgpack.unpackb(packed)
    versions[1] += 1
    assert kept_row.load(msgpack.packb((versions, *rest)), info) is None
    for broken in (b"", b"\xc1", b"\x93\x01\x02\x03", packed[:-1], packed + b"\0", msgpack.packb({"a": 1})):
        assert kept_row.load(broken, info) is None
    assert kept_row.dump(replace(summary, fields={"a": "x" * 70_000}), answers) is None
    assert kept_row.dump(replace(summary, fields={"a": 2**70}), answers) is None


def test_who_changes_what_is_told_raises_its_rules() -> None:
    """Rows by other rules must not be read: this hash is of what the golden logs come to, change both together."""
    rows = [kept_row.dump(*told(scenario())) for scenario in scenarios.SOUND]
    found = hashlib.sha256(b"".join(row or b"" for row in rows)).hexdigest()[:12]
    assert (kept_row.RULES, found) == (1, "ebcfb0c0d2a3")


class Counted:
    """How many times a log was read."""

    def __init__(self, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = 0
        read = bus.read

        async def counted(session: str, after: int = 0, count: int | None = None) -> list[Event]:
            self.reads += 1
            return await read(session, after, count)

        monkeypatch.setattr(bus, "read", counted)


async def listed(bus: Bus, wanted: Wanted | None = None) -> list[Row]:
    return [replace(row, idle=0.0) async for row in Rows(bus).each(wanted)]


@KINDS
async def test_a_session_that_is_over_is_folded_once(
    kind: str, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lists it next is told the same without its log; with the log its row goes, too."""
    bus = await started(kind, valkey)
    for number, scenario in enumerate((scenarios.plain, scenarios.barge_in, scenarios.take_over)):
        assert await bus.take_in(f"s{number}", paged(scenario())) is Outcome.OK
    counted = Counted(bus, monkeypatch)
    first = await listed(bus)
    assert (len(first), counted.reads) == (3, 3)
    assert await listed(bus) == first
    assert await listed(bus, Wanted(failed=True)) == [row for row in first if row.told.wrong]
    assert counted.reads == 3
    assert await bus.keep_row("s0", first[0].info.seq + 1, b"other") is False
    assert await bus.keep_row("nobody", 1, b"x") is False
    seq = next(row.info.seq for row in first if row.told.session == "s1")
    assert await bus.keep_row("s1", seq, b"broken") is True
    assert await listed(bus) == first
    assert counted.reads == 4
    assert await bus.kept_rows(["nobody"]) == [None]
    assert await bus.forget("s1", seq) is Outcome.OK
    assert await bus.kept_rows(["s1"]) == [None]
    await bus.aclose()


@KINDS
async def test_of_one_that_goes_on_nothing_is_kept(kind: str, valkey: Valkey) -> None:
    """Its row is another with each event."""
    bus = await started(kind, valkey)
    await bus.open("s1", "g", "q", scenarios.plain()[:1])
    assert len(await listed(bus)) == 1
    assert await bus.kept_rows(["s1"]) == [None]
    assert await bus.keep_row("s1", 1, b"x") is False
    await bus.aclose()


async def test_a_row_goes_by_itself_with_its_log(valkey: Valkey) -> None:
    """Keeping it gives the log no longer to live."""
    import redis.asyncio

    bus = RedisBus(valkey.url, partitions=1, retention=1000)
    await bus.start()
    assert await bus.take_in("s1", paged(scenarios.plain())) is Outcome.OK
    client = redis.asyncio.Redis.from_url(valkey.url)
    assert await client.pexpire("{p00}:s:s1", 500_000)
    await listed(bus)
    assert await bus.kept_rows(["s1"]) != [None]
    assert 0 < await client.pttl("{p00}:s:s1") <= 500_000
    assert {key for key in await client.keys() if b"s1" in key} == {b"{p00}:s:s1", b"{p00}:ev:s1"}
    await client.aclose()
    await bus.aclose()


async def test_a_log_that_takes_nothing_is_listed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica, say, or a full one: it is asked once to keep a row, and those it has are read on."""
    bus, asked = MemoryBus(), list[str]()
    assert await bus.take_in("s1", paged(scenarios.plain())) is Outcome.OK
    assert len(await listed(bus)) == 1
    assert await bus.take_in("s2", paged(scenarios.plain())) is Outcome.OK
    assert await bus.take_in("s3", paged(scenarios.plain())) is Outcome.OK
    monkeypatch.setattr("schemas.session.listing._ASKED", 1)
    counted = Counted(bus, monkeypatch)

    async def refuses(session: str, seq: int, row: bytes) -> bool:
        asked.append(session)
        raise BusReadOnly("a replica")

    monkeypatch.setattr(bus, "keep_row", refuses)
    assert [row.told.session for row in await listed(bus)] == ["s3", "s2", "s1"]
    assert (asked, counted.reads) == (["s3"], 2)
