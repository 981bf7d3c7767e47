"""Sessions asked for one at a time: their stories, the latest kept, each read once, however many ask for it or follow it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Protocol

from api.problems import Problem, missing
from api.sessions.story import Story
from api.sessions.told_events import CHUNK, Chunk, Page
from schemas.bus import Reading, SessionInfo
from schemas.clock import Micros
from schemas.errors import BusError, EventError
from schemas.events import Event
from schemas.session.fold import fold
from schemas.session.state import SessionState

PAGE = 25
"""Events that are read, decoded and folded in one go: two milliseconds of the loop each."""
_AT_ONCE, _UNASKED = 3, 2
"""Goes between two breaths of the loop; of these so many at most for what nobody has asked for, as many for what is followed."""
_KEPT, _EVENTS_KEPT, _BYTES_KEPT = 2_000, 150_000, 64 << 20
_SCANNED = 2_000
"""Events that are looked at for one page of some types."""
LONGEST_ID = 256


class Reader:
    """Reads logs so that no more than a few chunks lie between two breaths of the loop, whoever asks for how much."""

    def __init__(self, log: Reading, at_once: int = _AT_ONCE) -> None:
        self.log = log
        self._chunks = asyncio.Semaphore(at_once)

    async def each(
        self, session: str, after: int, work: Callable[[list[Event]], bool], wanted: int | None = None
    ) -> None:
        """Give `work` the events after `after`, page by page, until it says that it is done or there are no more; `wanted`: it
        will be done after so many. Problem: an event is of a version that isn't known here."""
        size = min(PAGE, wanted or PAGE)
        while True:
            async with self._chunks:
                page = await self.read(session, after, size)
                last = page[-1].seq if len(page) == size else None
                if work(page) or last is None:
                    return
                await asyncio.sleep(0)
            after = last

    async def go_on(self, session: str, last: int, at: int, add: Callable[[Event], None]) -> bool:
        """Give `add` the events after `last`, which was appended at `at` µs; 0: from the beginning. False: that is another event
        now, or gone, for the log has lost its tail, and nothing was added."""
        same, first = True, last > 0

        def work(page: list[Event]) -> bool:
            nonlocal same, first
            if first:
                same = bool(page) and (page[0].seq, page[0].at) == (last, at)
                page, first = page[1:], False
            for event in page if same else ():
                add(event)
            return not same

        await self.each(session, max(last - 1, 0), work)
        return same

    async def read(self, session: str, after: int, count: int) -> list[Event]:
        try:
            return await self.log.read(session, after, count)
        except EventError as error:
            raise Problem(500, "unreadable", f"session {session}: {error}") from None


class Follower(Protocol):
    """Hears what is added to a story."""

    def add(self, event: Event) -> None:
        """The story has it already."""

    def rewind(self, survived: int, story: Story) -> None:
        """The log has lost its tail after event `survived`, and this is what it tells now."""

    def end(self) -> None:
        """The log is gone."""

    def break_off(self) -> None:
        """The story broke in the middle of an event: it is told anew to whoever asks, and nothing more is added to this one."""


@dataclass(slots=True)
class _Kept:
    """`events`: so many of its story have been counted; `chunks`: of its events, by number; `begun`: the last event's place and
    moment when the first chunk was begun, before the story was told."""

    story: Story
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    events: int = 0
    chunks: dict[int, Chunk] = field(default_factory=dict)
    begun: tuple[int, int] | None = None
    follower: Follower | None = None

    @property
    def stays(self) -> bool:
        """Somebody follows it, or it is being read."""
        return self.follower is not None or self.lock.locked()

    def is_at(self, info: SessionInfo) -> bool:
        times = self.story.times
        return bool(times) and (len(times), times[-1]) == (info.seq, info.last_activity)

    def is_as_it_was(self) -> bool:
        """Whether the chunks are of the log of which the story is told now."""
        if self.begun is None:
            return True
        (seq, at), times = self.begun, self.story.times
        return seq <= len(times) and times[seq - 1] == at


class Stories:
    """Stories by session, the latest used kept."""

    def __init__(self, log: Reading) -> None:
        self.reader = Reader(log)
        self._unasked, self._followed = asyncio.Semaphore(_UNASKED), asyncio.Semaphore(_UNASKED)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._events = self._bytes = 0
        """Of all that are kept."""

    def __contains__(self, session: str) -> bool:
        return session in self._kept

    async def exists(self, session: str) -> SessionInfo:
        """What the log says of it in short. Problem 404: there is none."""
        info = await self.reader.log.info(session) if len(session) <= LONGEST_ID else None
        if info is None:
            self._forget(session)
            raise missing("session", session)
        return info

    async def told(self, session: str) -> Story:
        """The session's story up to now. Problem 404: there is none."""
        info = await self.exists(session)
        kept = self._keep(session)
        await self._tell(session, kept, info)
        kept.story.archived = info.archived
        return kept.story

    def follow(self, session: str, follower: Follower) -> None:
        """A story that was just told is kept until `unfollow`, and `follower` hears what is added to it."""
        self._kept[session].follower = follower

    def unfollow(self, session: str, follower: Follower) -> None:
        kept = self._kept.get(session)
        if kept is not None and kept.follower is follower:
            kept.follower = None

    async def if_kept(self, session: str, at: Micros | None) -> Story | None:
        """The story, if it is one of those that are kept, up to now; `at`: when the session's last event was appended, if that is
        known. Problem: it can't be read."""
        kept = self._kept.get(session)
        if kept is None or not kept.story.times:
            return None
        if kept.story.state.at != at:
            await self._go_on_aside(session, kept, at)
        return kept.story

    async def ahead(self, session: str, events: int) -> Story | None:
        """The story of a session that nobody has asked for yet, so that whoever does need not wait; None where there is no room
        for so many events. It is let go before all that were asked for. Problem: it can't be read."""
        if (
            len(self._kept) >= _KEPT - 1
            or self._events + events > _EVENTS_KEPT * 0.9
            or self._bytes >= _BYTES_KEPT * 0.9
        ):
            return None
        kept = self._keep(session, asked=False)
        self._events += events - kept.events  # the room is taken now, for others ask for some before this is read
        kept.events = events
        await self._go_on_aside(session, kept)
        if not kept.story.times:
            self._forget(session)
        return kept.story

    async def _go_on_aside(self, session: str, kept: _Kept, at: Micros | None = None) -> None:
        """Where nobody waits for the answer. `at`: of the last event, if it is known."""
        if kept.lock.locked():  # the slot is for others while somebody else reads this one
            async with kept.lock:
                pass
        try:
            async with self._followed if kept.follower is not None else self._unasked, kept.lock:
                if kept.story.state.at != at:
                    await self._go_on(session, kept)
        finally:
            self._count(session, kept)

    def _keep(self, session: str, *, asked: bool = True) -> _Kept:
        """What was not asked for is the first to be let go."""
        kept = self._kept.get(session)
        if kept is None:
            kept = self._kept[session] = _Kept(Story(session))
            self._kept.move_to_end(session, last=asked)
        elif asked:
            self._kept.move_to_end(session)
        return kept

    async def _tell(self, session: str, kept: _Kept, info: SessionInfo) -> None:
        if not kept.is_at(info):
            async with kept.lock:
                if not kept.is_at(info):  # who waited for the lock finds it read, as a rule
                    await self._go_on(session, kept)
            self._count(session, kept)
        if not kept.is_as_it_was():
            self._drop_chunks(kept)
        kept.begun = None

    async def _go_on(self, session: str, kept: _Kept) -> None:
        """From its last event inclusive: if that is another now, or gone, the log has lost its tail."""
        before = kept.story

        def add(event: Event) -> None:
            before.add(event)
            if kept.follower is not None:  # who may have come meanwhile
                kept.follower.add(event)

        try:
            if await self.reader.go_on(session, before.state.seq, before.state.at, add):
                return
        except (BusError, Problem):
            raise  # the event after the last one was not read
        except Exception:  # an event was added in part: who asks again begins anew, whoever followed
            kept.story = Story(session)
            self._drop_chunks(kept)
            if (follower := kept.follower) is not None:
                kept.follower = None
                follower.break_off()
            raise
        anew = Story(session)
        await self.reader.go_on(session, 0, 0, anew.add)
        self._drop_chunks(kept)
        kept.story = anew
        if kept.follower is not None:
            kept.follower.rewind(surviving(before.times, anew.times), anew)

    def _drop_chunks(self, kept: _Kept) -> None:
        self._bytes -= sum(chunk.size for chunk in kept.chunks.values())
        kept.chunks = {}

    def _forget(self, session: str) -> None:
        kept = self._kept.pop(session, None)
        if kept is not None:
            self._events -= kept.events
            self._bytes -= sum(chunk.size for chunk in kept.chunks.values())
            if kept.follower is not None:
                kept.follower.end()

    def _count(self, session: str, kept: _Kept) -> None:
        """And let go of what was not asked for the longest, where it is too much."""
        if self._kept.get(session) is kept:
            self._events += len(kept.story.times) - kept.events
            kept.events = len(kept.story.times)
        if self._is_too_much():
            for old in [name for name, one in self._kept.items() if one is not kept and not one.stays]:
                self._forget(old)
                if not self._is_too_much():
                    return

    def _is_too_much(self) -> bool:
        return len(self._kept) > _KEPT or self._events > _EVENTS_KEPT or self._bytes > _BYTES_KEPT

    async def state_at(self, session: str, seq: int | None) -> SessionState:
        """The session after event `seq`; None: after the last. Problem 404: there is no such event."""
        story = await self.told(session)
        if seq is None or seq == story.state.seq:
            return story.state
        if seq > story.state.seq:
            raise Problem(404, "missing", f"{session} has events 1 to {story.state.seq}; there is no event {seq}")
        state = story.state_before(seq)

        def go_on(page: list[Event]) -> bool:
            nonlocal state
            for event in page:
                if event.seq <= seq:
                    state = fold(state, event)
            return state.seq >= seq

        await self.reader.each(session, state.seq, go_on)
        return state

    async def page(
        self, session: str, after: int, limit: int, types: Sequence[str] = (), *, asked: bool = True
    ) -> Page:
        """Up to `limit` events with seq > `after`; `types`: only those, or whose type begins so ("transcript."); `asked`: by
        somebody, else it is read ahead of them."""
        info = await self.exists(session)
        kept, most = self._keep(session, asked=asked), _SCANNED if types else limit
        if not self._is_beginning(kept, info, after + most):
            await self._tell(session, kept, info)
        last = len(kept.story.times) or info.seq
        seen = after = min(after, last)
        end = min(last, after + most)
        found: list[tuple[int, bytes]] = []
        while seen < end and len(found) < limit:
            chunk = await self._chunk(session, kept, seen // CHUNK, end)
            fresh = chunk.after(seen)
            if not fresh:  # the log has lost its tail meanwhile
                break
            for seen, kind, text in fresh:
                if not types or kind.startswith(tuple(types)):
                    found.append((seen, text))
                if seen == end or len(found) == limit:
                    break
        return Page(found, seen if seen < last else None)

    def _is_beginning(self, kept: _Kept, info: SessionInfo, end: int) -> bool:
        """Whether events up to `end` can be told without the story, which would be read for nothing else."""
        now = (info.seq, int(info.last_activity))
        if kept.story.times or min(end, info.seq) > CHUNK or kept.begun not in (None, now):
            return False
        kept.begun = now
        return True

    async def _chunk(self, session: str, kept: _Kept, number: int, end: int) -> Chunk:
        """Its events up to `end` at least, as far as they are its own."""
        chunk = kept.chunks.get(number)
        if chunk is None:
            chunk = kept.chunks[number] = Chunk(kept.story.state_before(number * CHUNK))
        first = chunk.last
        wanted = min(end, (number + 1) * CHUNK) - first
        if wanted > 0:

            def add(page: list[Event]) -> bool:
                grown = sum(chunk.add(event) for event in page)
                if self._kept.get(session) is kept and kept.chunks.get(number) is chunk:
                    self._bytes += grown
                return chunk.last >= first + wanted

            await self.reader.each(session, first, add, wanted)
            self._count(session, kept)
        return chunk


async def all_done(work: Iterable[Awaitable[None]]) -> None:
    """Each to its end, whatever becomes of the others; then the first error."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error


def surviving(before: Sequence[int], now: Sequence[int]) -> int:
    """The last event that is as it was: a log that lost its tail shares its beginning with what it was."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False)))
