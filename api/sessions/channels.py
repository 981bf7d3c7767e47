"""The events of sessions that somebody follows: read once, told to all who do."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from api.problems import Problem
from api.sessions.live import COMMENT, HEARTBEAT, Ring, message
from api.sessions.shapes import Rewound
from api.sessions.stories import PAGE, Stories, surviving
from api.sessions.told_events import CHUNK, event_json
from schemas.clock import Micros
from schemas.events import Event
from schemas.session.fold import fold
from schemas.session.state import SessionState

_AT_ONCE = 8
"""Sessions that are read at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """The last event that somebody was told; `at`: µs, None where they didn't say."""

    seq: int = 0
    at: int | None = None

    @classmethod
    def parsed(cls, name: str) -> "Place | None":
        """From an event's id, `SEQ` or `SEQ-AT`; None: it is none of ours."""
        seq, _, at = name.strip().partition("-")
        if not _is_number(seq) or (at and not _is_number(at)):
            return None
        return cls(int(seq), int(at) if at else None)

    def __str__(self) -> str:
        return f"{self.seq}" if self.at is None else f"{self.seq}-{self.at}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19


class Channel:
    """One session's events as they come. `survivals`: each time that the log lost its tail meanwhile, its last event that was
    left."""

    def __init__(self, session: str, state: SessionState, times: "array[int]") -> None:
        self.session = session
        self.state = state
        self.times = times
        self.ring = Ring(state.seq)
        self.readers = 0
        self.survivals: list[int] = []
        self.over = state.ended is not None

    @property
    def at(self) -> Micros:
        return self.state.at

    def add(self, event: Event) -> None:
        self.state = fold(self.state, event)
        self.times.append(event.at)
        self.over = self.state.ended is not None
        self.ring.add(event.seq, _told(event, self.state))

    def rewind(self, survived: int, state: SessionState, times: "array[int]") -> None:
        self.survivals.append(survived)
        self.state, self.times, self.over = state, times, state.ended is not None
        self.ring.restart(state.seq)

    def knows(self, place: Place) -> bool:
        """That event is the one it was."""
        if place.seq == 0:
            return True
        if place.seq > len(self.times):
            return False
        return place.at is None or self.times[place.seq - 1] == place.at


def _told(event: Event, state: SessionState) -> bytes:
    return message("event", event_json(event, state), str(Place(event.seq, event.at)))


class Channels:
    """By session, for as long as somebody reads."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._open: dict[str, Channel] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        return len(self._open)

    async def catch_up(self, moved: Mapping[str, Micros]) -> None:
        """What the log has since, to all who read it. `moved`: the last event's moment of each session that is open."""
        due = [
            channel
            for name, channel in self._open.items()
            if not channel.over and (name not in moved or moved[name] != channel.at)
        ]
        await asyncio.gather(*(self._go_on(channel) for channel in due))

    async def _go_on(self, channel: Channel) -> None:
        async with self._at_once:
            try:
                while await self._read(channel):
                    await asyncio.sleep(0)
            except Problem:  # its log is gone
                channel.over = True
            channel.ring.bell.ring()

    async def _read(self, channel: Channel) -> bool:
        """One page of what came. Whether there may be more."""
        reader, last = self._stories.reader, channel.state.seq
        page = await reader.read(channel.session, max(last - 1, 0), PAGE)
        if last and (not page or (page[0].seq, page[0].at) != (last, channel.at)):
            survived = await surviving(reader.log, channel.session, channel.times)
            story = await self._stories.told(channel.session)
            channel.rewind(survived, story.state, array("q", story.times))
            return True
        for event in page:
            if event.seq == channel.state.seq + 1:
                channel.add(event)
        return len(page) == PAGE

    async def follow(self, session: str, place: Place) -> AsyncGenerator[bytes, None]:
        """Messages from after `place` on, until the session has ended. Problem 404: there is no such session."""
        await self._stories.exists(session)
        return self._messages(session, place)

    async def _messages(self, session: str, place: Place) -> AsyncGenerator[bytes, None]:
        channel = await self._channel(session)
        channel.readers += 1
        try:
            rewinds = len(channel.survivals)
            if not channel.knows(place):
                place = Place()
                yield _rewound(0)
            while True:
                if lost := channel.survivals[rewinds:]:
                    rewinds += len(lost)
                    if place.seq > min(lost):
                        place = Place(min(lost))
                        yield _rewound(place.seq)
                        continue
                found = channel.ring.after(place.seq)
                if found is None:
                    found = await self._older(channel, place)
                if found:
                    place = Place(found[-1][0])
                    yield b"".join(text for _, text in found)
                elif channel.over:
                    yield message("end", b"{}")
                    return
                elif not await channel.ring.bell.wait(HEARTBEAT):
                    yield COMMENT
        finally:
            channel.readers -= 1
            if not channel.readers and self._open.get(session) is channel:
                del self._open[session]

    async def _channel(self, session: str) -> Channel:
        """The one that is read already, or a new one. Another's reader is not told the story again."""
        channel = self._open.get(session)
        if channel is not None:
            return channel
        story = await self._stories.told(session)
        channel = self._open.get(session)
        if channel is None:
            channel = self._open[session] = Channel(session, story.state, array("q", story.times))
        return channel

    async def _older(self, channel: Channel, place: Place) -> list[tuple[int, bytes]]:
        """What the ring has forgotten, read from the log again."""
        page = await self._stories.page(channel.session, place.seq, CHUNK)
        times = channel.times
        return [
            (seq, message("event", text, str(Place(seq, times[seq - 1]))))
            for seq, text in page.events
            if seq <= len(times)
        ]


def _rewound(after: int) -> bytes:
    return message("rewound", Rewound(after=after).model_dump_json().encode(), str(Place(after)))
