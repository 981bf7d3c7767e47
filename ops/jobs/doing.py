"""What those who do what was asked for are given: the log and the archive, settings, and whom they tell how far they are."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.archive.both import Both
from schemas.archive.store import Archive
from schemas.audio import AudioRef
from schemas.bus import Bus, Outcome
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.events import ClipReady, Event, UtteranceCaptured
from schemas.session.history import events_of

if TYPE_CHECKING:
    from ops.jobs.letting_go import LettingGo

__all__ = ["Doing", "Progress", "keep"]

_OFTEN = 0.2
"""Seconds between two words about how far something is."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Doing:
    """`both`: the log and the archive, to be read; `log`: where forks and imports are kept, and archived from like all that is
    over."""

    log: Bus
    archive: Archive
    both: Both
    settings: Settings
    letting_go: "LettingGo"

    @classmethod
    def over(cls, log: Bus, archive: Archive, settings: Settings, letting_go: "LettingGo") -> "Doing":
        async def opened() -> Archive:
            return archive

        return cls(log, archive, Both(log, opened), settings, letting_go)

    async def events(self, session: str, most: int = 300_000) -> list[Event]:
        """AntiphonError: there is no such session, it goes on, or it is too long."""
        info = await self.both.info(session)
        if info is None:
            raise AntiphonError(f"there is no session {session!r} any more")
        if info.state == "open":
            raise AntiphonError(f"session {session!r} goes on; it can be replayed once it has ended")
        if info.seq > most:
            raise AntiphonError(f"session {session!r} has {info.seq} events; {most} are replayed at most")
        return [event async for event in events_of(self.both, session)]


class Progress:
    """`tell(done, of, doing)`: at most five times a second; raises Stopped when somebody asked for that."""

    def __init__(self, tell: Callable[[int, int, str], Awaitable[None]], by: str = "", job: str = "") -> None:
        self.by, self.job = by, job
        self._tell, self._told = tell, float("-inf")

    async def __call__(self, done: int, of: int, doing: str = "") -> None:
        if time.monotonic() - self._told >= _OFTEN or done == of:
            self._told = time.monotonic()
            await self._tell(done, of, doing)


async def keep(doing: Doing, session: str, events: Sequence[Event]) -> int:
    """A session that is made of another one, into the log, with sounds of its own: the other one may be deleted. Answers how many
    sounds were gone. AntiphonError: there is such a session."""
    moved: dict[str, str] = {}
    missing = 0

    async def ref_of(ref: AudioRef) -> AudioRef:
        nonlocal missing
        if ref.key not in moved:
            pcm = await doing.both.get_blob(ref.key)
            place, _, name = ref.key.partition(":blob:")[2].partition("/")
            if pcm is None:
                missing += 1
                moved[ref.key] = ref.key
            elif place == "shared":
                moved[ref.key] = await doing.log.put_shared_blob(session, pcm)
            else:
                moved[ref.key] = await doing.log.put_blob(session, name or f"sound-{len(moved)}", pcm)
        return ref.model_copy(update={"key": moved[ref.key]})

    async def own(event: Event) -> Event:
        if isinstance(event, UtteranceCaptured):
            return event.model_copy(update={"audio": [await ref_of(ref) for ref in event.audio]})
        if isinstance(event, ClipReady):
            return event.model_copy(update={"audio": await ref_of(event.audio)})
        return event

    async def pages() -> AsyncIterator[Sequence[Event]]:
        for start in range(0, len(events), _PAGE):
            yield [await own(event) for event in events[start : start + _PAGE]]
            await asyncio.sleep(0)

    if await doing.log.take_in(session, pages()) is not Outcome.OK:
        raise AntiphonError(f"there is a session {session!r} already")
    return missing
