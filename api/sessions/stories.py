"""Sessions asked for one at a time: their stories, the latest kept, each read only as far as it was not read yet."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.problems import Problem, missing
from api.sessions.shapes import EventPage, EventView, LineView, moment
from api.sessions.story import Story
from schemas.bus import Reading
from schemas.codec import event_to_json
from schemas.errors import EventError
from schemas.events import Event
from schemas.session.fold import fold
from schemas.session.state import SessionState
from schemas.session.words import line

PAGE = 200
"""Events that are read, decoded and folded in one go: some milliseconds of the loop."""
_AT_ONCE = 2
_KEPT, _EVENTS_KEPT = 32, 200_000
_SCANNED = 2_000
"""Events that are looked at for one page of some types."""
LONGEST_ID = 256
_ELSEWHERE = {"seq", "at", "type", "turn"}


class Reader:
    """Reads logs so that no more than a few chunks lie between two breaths of the loop, whoever asks for how much."""

    def __init__(self, log: Reading, at_once: int = _AT_ONCE, page: int = PAGE) -> None:
        self.log = log
        self._chunks, self._page = asyncio.Semaphore(at_once), page

    async def each(
        self, session: str, after: int, work: Callable[[list[Event]], bool], wanted: int | None = None
    ) -> None:
        """Give `work` the events after `after`, page by page, until it says that it is done or there are no more; `wanted`: it
        will be done after so many. Problem: an event is of a version that isn't known here."""
        size = min(self._page, wanted or self._page)
        while True:
            async with self._chunks:
                page = await self.read(session, after, size)
                last = page[-1].seq if len(page) == size else None
                done = work(page)
                await asyncio.sleep(0)
            if done or last is None:
                return
            after = last

    async def read(self, session: str, after: int, count: int) -> list[Event]:
        try:
            return await self.log.read(session, after, count)
        except EventError as error:
            raise Problem(500, "unreadable", f"session {session}: {error}") from None


@dataclass(slots=True)
class _Kept:
    story: Story
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Stories:
    """Stories by session, the latest used kept."""

    def __init__(self, log: Reading) -> None:
        self.reader = Reader(log)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def told(self, session: str) -> Story:
        """The session's story up to now. Problem 404: there is none."""
        if len(session) > LONGEST_ID:
            raise missing("session", session)
        info = await self.reader.log.info(session)
        if info is None:
            self._kept.pop(session, None)
            raise missing("session", session)
        kept = self._kept.setdefault(session, _Kept(Story(session)))
        self._kept.move_to_end(session)
        times = kept.story.times
        if not times or (len(times), times[-1]) != (info.seq, info.last_activity):
            async with kept.lock:
                await self._go_on(session, kept)
            self._let_go()
        return kept.story

    async def _go_on(self, session: str, kept: _Kept) -> None:
        """From its last event inclusive: if that is another now, or gone, the log has lost its tail."""
        story = kept.story
        lost, known = False, len(story.times)

        def add(page: list[Event]) -> bool:
            nonlocal lost, known
            if known:
                lost = not page or (page[0].seq, page[0].at) != (known, story.times[-1])
                page, known = page[1:], 0
            for event in page if not lost else ():
                story.add(event)
            return lost

        await self.reader.each(session, max(known - 1, 0), add)
        if lost:
            kept.story = Story(session)
            await self._go_on(session, kept)

    def _let_go(self) -> None:
        total = sum(len(kept.story.times) for kept in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > _KEPT or total > _EVENTS_KEPT):
            _, kept = self._kept.popitem(last=False)
            total -= len(kept.story.times)

    async def state_at(self, session: str, seq: int | None) -> SessionState:
        """The session after event `seq`; None: after the last."""
        story = await self.told(session)
        if seq is None or seq >= story.state.seq:
            return story.state
        state = story.state_before(seq)

        def go_on(page: list[Event]) -> bool:
            nonlocal state
            for event in page:
                if event.seq <= seq:
                    state = fold(state, event)
            return state.seq >= seq

        await self.reader.each(session, state.seq, go_on)
        return state

    async def page(self, session: str, after: int, limit: int, types: Sequence[str] = ()) -> EventPage:
        """Up to `limit` events with seq > `after`; `types`: only those, or whose type begins so ("transcript.")."""
        story = await self.told(session)
        last = story.state.seq
        seen = after = min(after, last)
        state = story.state_before(after)
        found: list[EventView] = []

        def enough() -> bool:
            return len(found) >= limit or seen - after >= _SCANNED

        def look(page: list[Event]) -> bool:
            nonlocal state, seen
            for event in page:
                state = fold(state, event)
                if event.seq > after:
                    seen = event.seq
                    if not types or event.type.startswith(tuple(types)):
                        found.append(event_view(event, state))
                    if enough():
                        break
            return enough()

        await self.reader.each(session, state.seq, look, None if types else after - state.seq + limit)
        return EventPage(events=found, next=seen if seen < last else None)


async def surviving(log: Reading, session: str, times: Sequence[int]) -> int:
    """The last event that is as it was when `times` were noted: a log that lost its tail shares its beginning with what it
    was."""
    low, high = 0, len(times)
    while low < high:
        middle = (low + high + 1) // 2
        entry = await log.read(session, middle - 1, 1)
        if entry and (entry[0].seq, entry[0].at) == (middle, times[middle - 1]):
            low = middle
        else:
            high = middle - 1
    return low


def event_view(event: Event, state: SessionState) -> EventView:
    """`state`: the session after it."""
    told = line(event, state)
    fields = event_to_json(event)
    return EventView(
        seq=event.seq,
        type=event.type,
        at_s=round(event.happened - state.started_at / 1e6, 4),
        at=moment(event.at),
        turn=event.turn,
        line=LineView(who=told.who, text=told.text, detail=told.detail, style=told.style),
        body=_without(fields, _ELSEWHERE),
    )


def _without(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
