"""Folding what the log has now: snapshots, tails, the cache, and a log that lost its tail."""

import pytest

from schemas.bus import Publication, Snapshot
from schemas.events import Cause, Event, ReplySentence, SpeechStarted
from schemas.log import MemoryBus
from schemas.session.cache import Folds, folded
from schemas.session.fold import FOLD_VERSION, fold_all
from schemas.session.snapshot import dump
from tests.golden import scenarios


class CountingBus(MemoryBus):
    """Notes how much is read."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[int] = []

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        page = await super().read(session, after, count)
        self.pages.append(len(page))
        return page


async def stored(log: list[Event]) -> CountingBus:
    """A bus on which `log` was published, event by event."""
    bus = CountingBus()
    await bus.open("s", "g", "q", log[:1])
    for operation, event in enumerate(log[1:], 1):
        await bus.publish("s", 1, Publication(operation, [event], raises=event.raises))
    return bus


async def append(bus: MemoryBus, operation: int, *events: Event, snapshot: Snapshot | None = None) -> None:
    await bus.publish("s", 1, Publication(operation, events, snapshot=snapshot))


async def test_a_log_is_folded_whole_or_up_to_an_event() -> None:
    """The state at any seq is the fold of the events up to there."""
    bus = await stored(scenarios.barge_in())
    events = await bus.read("s")
    assert await folded(bus, "s") == fold_all(events)
    assert await folded(bus, "s", 12) == fold_all(events[:12])
    assert (await folded(bus, "nobody")).seq == 0


async def test_a_second_fold_reads_only_what_is_new() -> None:
    """The cache goes on from the state it has, reading from its last event inclusive."""
    bus = await stored(scenarios.plain()[:-1])
    folds = Folds(bus)
    await folds.folded("s")
    await append(bus, 90, SpeechStarted(turn=2, participant="caller"))
    bus.pages.clear()
    state = await folds.folded("s")
    assert bus.pages == [2]
    assert state == fold_all(await bus.read("s"))


async def test_an_older_seq_is_folded_without_the_cache_and_spoils_nothing() -> None:
    """A redelivered job asks for an earlier state; the later one stays cached."""
    bus = await stored(scenarios.plain())
    folds = Folds(bus)
    whole = await folds.folded("s")
    events = await bus.read("s")
    assert await folds.folded("s", 5) == fold_all(events[:5])
    bus.pages.clear()
    assert await folds.folded("s") == whole
    assert bus.pages == [1]


async def test_a_log_that_lost_its_tail_is_folded_anew() -> None:
    """A cached event that is not there any more, or is another one, empties the cache."""
    bus = await stored(scenarios.plain()[:5])
    saved = bus.save()
    await append(bus, 90, SpeechStarted(turn=2, participant="caller"))
    folds = Folds(bus)
    assert 2 in (await folds.folded("s")).turns
    bus.restore(saved)
    assert await folds.folded("s") == fold_all(await bus.read("s"))
    await folds.folded("s")
    await append(bus, 91, SpeechStarted(turn=3, participant="caller"))
    bus.restore(saved)
    await append(bus, 92, SpeechStarted(turn=4, participant="caller"))
    assert list((await folds.folded("s")).turns) == [1, 4]


@pytest.mark.parametrize(
    ("version", "broken", "read"),
    [(FOLD_VERSION, False, 4), (FOLD_VERSION + 1, False, 11), (FOLD_VERSION, True, 11)],
)
async def test_a_snapshot_shortens_the_way_if_it_is_ours(version: int, broken: bool, read: int) -> None:
    """Of this fold version, only what follows it is read (and its last event); else the whole log is."""
    bus = await stored(scenarios.plain()[:10])
    at_eight = b"\xc1" if broken else dump(fold_all((await bus.read("s"))[:8]))
    await append(bus, 90, SpeechStarted(turn=1, participant="caller"), snapshot=Snapshot(8, version, at_eight))
    bus.pages.clear()
    state = await folded(bus, "s")
    assert sum(bus.pages) == read
    assert state == fold_all(await bus.read("s"))


async def test_a_snapshot_later_than_asked_for_is_not_used() -> None:
    """The state at an early seq knows nothing of later events."""
    bus = await stored(scenarios.plain()[:10])
    events = await bus.read("s")
    await append(
        bus,
        90,
        SpeechStarted(turn=2, participant="caller"),
        snapshot=Snapshot(10, FOLD_VERSION, dump(fold_all(events))),
    )
    assert await folded(bus, "s", 4) == fold_all(events[:4])


async def test_a_job_also_sees_what_its_earlier_attempts_committed() -> None:
    """Beyond the seq it answers, an LLM job folds the events it caused itself, and no others."""
    bus = await stored(scenarios.plain()[:6])
    seq = 6
    mine = ReplySentence(turn=1, generation=0, index=0, text="I'm", cause=Cause(job="llm/1.0", attempt=1))
    await append(bus, 90, SpeechStarted(turn=1, participant="caller"), mine)
    state = await folded(bus, "s", seq, job="llm/1.0")
    assert state.turns[1].reply is not None
    assert [sentence.text for sentence in state.turns[1].reply.said_by("llm/1.0")] == ["I'm"]
    assert not state.participants["caller"].speaking
    assert (await folded(bus, "s", seq)).turns[1].reply is None


@pytest.mark.parametrize("size", [499, 500, 501, 1000, 1001])
async def test_long_logs_are_read_in_pages(size: int) -> None:
    """Page boundaries lose and repeat nothing."""
    bus = await stored(scenarios.plain()[:1])
    await append(bus, 1, *(SpeechStarted(turn=1, participant="caller") for _ in range(size - 1)))
    folds = Folds(bus)
    assert (await folds.folded("s")).seq == size
    await append(bus, 2, *(SpeechStarted(turn=1, participant="caller") for _ in range(size)))
    assert (await folds.folded("s")) == fold_all(await bus.read("s"))
