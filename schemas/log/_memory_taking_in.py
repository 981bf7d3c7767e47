"""Sessions that were held elsewhere, kept in memory: the twin of `_taking_in.py`, which who only reads a log does not load."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from schemas.bus import Outcome, TakingIn
from schemas.events import Event
from schemas.log._taking_in import After
from schemas.log._twin import Partition
from schemas.log._twin_values import StoredSession


class MemoryTakingIn(TakingIn):
    """A part of `MemoryBus`."""

    _log: list[Partition]

    def partition(self, session: str) -> int:
        raise NotImplementedError  # the log's

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        sessions, after, found = self._log[self.partition(session)].sessions, After(), list[Event]()
        if session in sessions:
            return Outcome.EXISTS
        async for page in events:
            found += page
            after.add(page)
        await asyncio.sleep(0)
        if session in sessions:
            return Outcome.EXISTS
        sessions[session] = StoredSession(
            session,
            after.owner,
            "",
            events=found,
            seq=found[-1].seq,
            at=found[-1].at,
            generation=after.generation,
            epoch=after.epoch,
            state="closed",
        )
        return Outcome.OK
