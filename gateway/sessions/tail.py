"""The end of one session's log, read in order: as the inbox brings it, and from the log itself where something is missing."""

from collections.abc import Awaitable, Callable, Sequence

from gateway.sessions.snapshots import Snapshots
from schemas.bus import Seen
from schemas.events import Event
from schemas.process.tasks import Tasks


class Tail:
    """`read`: the log behind a seq; `take`: told every event behind `known`, once and in order."""

    def __init__(
        self, read: Callable[[int], Awaitable[Sequence[Event]]], take: Callable[[Event], None], tasks: Tasks,
        known: Sequence[Event],
    ):  # fmt: skip
        self._read, self._take, self._tasks = read, take, tasks
        self._early: dict[int, Event] = {}
        self._behind = 0
        self._closed = False
        self.reading = False
        self.expecting = False
        """Something of our own is on its way into the log: what is missing may come a moment later."""
        self.begin_anew(known)

    def begin_anew(self, known: Sequence[Event]) -> None:
        """The log consists of these, whatever it was before."""
        self._early.clear()
        self._next = known[-1].seq + 1 if known else 1
        self.seen = Seen(known[-1].seq, known[-1].at) if known else None
        self.snapshots = Snapshots(known)

    def close(self) -> None:
        """Nothing more is taken."""
        self._closed = True

    def receive(self, event: Event) -> None:
        """An event from the inbox, in any order and perhaps again."""
        if event.seq >= self._next and not self._closed:
            self._early[event.seq] = event
            self.go_on()

    def go_on(self) -> None:
        """Take what is there in order; read what is missing before the rest."""
        self._take_in_order()
        if self._early and not self.expecting:
            self.catch_up()

    def catch_up(self) -> None:
        """Read what is missing from the log itself."""
        if not self.reading and not self._closed:
            self.reading = True
            self._tasks.spawn(self._read_gap())

    def reaches(self, seq: int) -> None:
        """The log has events up to `seq`, by a hold. Who is as far behind as at the last one has lost something on the way."""
        lagging = seq >= self._next and not self.expecting
        if lagging and self._behind == self._next:
            self.catch_up()
        self._behind = self._next if lagging else 0

    async def _read_gap(self) -> None:
        try:
            for event in await self._read(self._next - 1):
                if event.seq >= self._next:
                    self._early[event.seq] = event
        finally:
            self.reading = False
        self._take_in_order()

    def _take_in_order(self) -> None:
        while not self._closed and (event := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self.seen = Seen(event.seq, event.at)
            self.snapshots.add(event)
            self._take(event)
