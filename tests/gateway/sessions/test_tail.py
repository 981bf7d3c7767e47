"""One session's log, read in order."""

import asyncio
from collections.abc import Sequence

from gateway.sessions.tail import Tail
from schemas.clock import Micros
from schemas.events import Event, SpeechStarted
from schemas.process.tasks import Tasks


def event(seq: int) -> Event:
    return SpeechStarted(participant="ann", seq=seq, at=Micros(seq))


class Reader:
    """A tail over a log of events 1 to `there`; remembers what it took and from where it read."""

    def __init__(self, there: int, known: int = 0):
        self.there = there
        self.took: list[int] = []
        self.reads: list[int] = []
        self.tasks = Tasks()
        self.tail = Tail(self.read, lambda event: self.took.append(event.seq), self.tasks, self.events(0)[:known])

    def events(self, after: int) -> list[Event]:
        return [event(seq) for seq in range(after + 1, self.there + 1)]

    async def read(self, after: int) -> Sequence[Event]:
        self.reads.append(after)
        return self.events(after)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_in_order_and_once() -> None:
    """Events behind what is known are taken in order and once, however the inbox brings them."""
    reader = Reader(6, known=2)
    reader.tail.expecting = True
    for seq in (1, 2, 4, 6, 4, 3, 5, 3):
        reader.tail.receive(event(seq))
    assert reader.took == [3, 4, 5, 6]
    assert reader.reads == []
    assert reader.tail.seen is not None
    assert reader.tail.seen.seq == 6


async def test_a_gap_is_read() -> None:
    """What the inbox left out is read from the log, once, from where the gap begins."""
    reader = Reader(6, known=2)
    reader.tail.receive(event(5))
    reader.tail.receive(event(6))
    assert reader.tail.reading
    await settle()
    assert (reader.took, reader.reads, reader.tail.reading) == ([3, 4, 5, 6], [2], False)


async def test_what_is_expected_is_waited_for() -> None:
    """While something of our own is on its way, a gap is no loss; afterwards it is."""
    reader = Reader(4, known=2)
    reader.tail.expecting = True
    reader.tail.receive(event(4))
    await settle()
    assert reader.reads == []
    reader.tail.expecting = False
    reader.tail.go_on()
    await settle()
    assert reader.took == [3, 4]


async def test_behind_twice_is_lost() -> None:
    """Who is behind the log at one hold may just be waiting; at the same place at the next one, it reads."""
    reader = Reader(4, known=2)
    reader.tail.reaches(4)
    await settle()
    assert reader.reads == []
    reader.tail.reaches(4)
    await settle()
    assert reader.took == [3, 4]


async def test_closed() -> None:
    """After its end a session takes nothing, not even what was being read."""
    reader = Reader(4, known=2)
    reader.tail.receive(event(4))
    reader.tail.close()
    reader.tail.receive(event(3))
    await settle()
    assert reader.took == []
