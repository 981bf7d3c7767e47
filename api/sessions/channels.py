"""The events of sessions that somebody follows, as they are added to their stories, told to all who do."""

import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from api.event_streams import COMMENT, HEARTBEAT, Ring, message
from api.problems import Problem
from api.sessions.shapes import Rewound
from api.sessions.stories import Stories, all_done
from api.sessions.story import Story
from api.sessions.told_events import CHUNK, event_json
from schemas.clock import Micros
from schemas.errors import BusUnavailable
from schemas.events import Event

log = logging.getLogger("antiphon.api")


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
    left; `broken`: it can't go on, though its session does."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.ring = Ring(story.state.seq)
        self.readers = 0
        self.survivals: list[int] = []
        self.broken = self._gone = False

    @property
    def over(self) -> bool:
        """Nothing comes any more."""
        return self._gone or self.story.over

    def add(self, event: Event) -> None:
        text = message("event", event_json(event, self.story.state), str(Place(event.seq, event.at)))
        self.ring.add(event.seq, text)
        self.ring.bell.ring()

    def rewind(self, survived: int, story: Story) -> None:
        self.survivals.append(survived)
        self.story = story
        self.ring.restart(story.state.seq)
        self.ring.bell.ring()

    def end(self) -> None:
        self._gone = True
        self.ring.bell.ring()

    def break_off(self) -> None:
        self.broken = True
        self.ring.bell.ring()

    def knows(self, place: Place) -> bool:
        """That event is the one it was."""
        if place.seq == 0:
            return True
        times = self.story.times
        if place.seq > len(times):
            return False
        return place.at is None or times[place.seq - 1] == place.at


class Channels:
    """By session, for as long as somebody reads."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._open: dict[str, Channel] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def catch_up(self, moved: Mapping[str, Micros]) -> None:
        """What the log has since, to all who read it. `moved`: the last event's moment of each session that is open."""
        due = [
            (name, channel)
            for name, channel in self._open.items()
            if moved.get(name) != channel.story.state.at and not (channel.over or channel.broken)
        ]
        await all_done(self._go_on(name, channel, moved.get(name)) for name, channel in due)

    async def _go_on(self, session: str, channel: Channel, at: Micros | None) -> None:
        try:
            if at is None:  # it has ended, or its log is gone
                await self._stories.told(session)
            else:
                await self._stories.if_kept(session, at)
        except BusUnavailable:
            raise
        except Problem as problem:
            if problem.status == 404:
                channel.end()
            else:
                self._break_off(session, channel)
        except Exception:
            log.exception("the session can't be followed", extra={"session": session})
            self._break_off(session, channel)

    def _break_off(self, session: str, channel: Channel) -> None:
        """Its readers are let go, and hear why when they come back."""
        if self._open.get(session) is channel:
            self._close(session, channel)
        channel.break_off()

    def _close(self, session: str, channel: Channel) -> None:
        del self._open[session]
        self._stories.unfollow(session, channel)

    async def follow(self, session: str, place: Place) -> AsyncGenerator[bytes, None]:
        """Messages from after `place` on, until the session has ended. Problem 404: there is no such session; 500: it can't be
        read."""
        channel = self._whole(session)
        if channel is not None and channel.knows(place):
            await self._stories.exists(session)
        else:  # another process may have told them more than we have read
            await self._stories.told(session)
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
                    found = await self._older(session, channel, place)
                if found:
                    place = Place(found[-1][0])
                    yield b"".join(text for _, text in found)
                elif channel.over:
                    yield message("end", b"{}")
                    return
                elif channel.broken:
                    return
                elif not await channel.ring.bell.wait(HEARTBEAT):
                    yield COMMENT
        finally:
            channel.readers -= 1
            if not channel.readers and self._open.get(session) is channel:
                self._close(session, channel)

    async def _channel(self, session: str) -> Channel:
        """The one that is read already, or a new one. Another's reader is not told the story again."""
        channel = self._whole(session)
        if channel is not None:
            return channel
        story = await self._stories.told(session)
        channel = self._whole(session)
        if channel is None:
            channel = self._open[session] = Channel(story)
            self._stories.follow(session, channel)
        return channel

    def _whole(self, session: str) -> Channel | None:
        """The one that is open, unless it broke off, and its readers are about to leave."""
        channel = self._open.get(session)
        return None if channel is None or channel.broken else channel

    async def _older(self, session: str, channel: Channel, place: Place) -> list[tuple[int, bytes]]:
        """What the ring has forgotten, read from the log again."""
        page = await self._stories.page(session, place.seq, CHUNK)
        times = channel.story.times
        return [
            (seq, message("event", text, str(Place(seq, times[seq - 1]))))
            for seq, text in page.events
            if seq <= len(times)
        ]


def _rewound(after: int) -> bytes:
    return message("rewound", Rewound(after=after).model_dump_json().encode(), str(Place(after)))
