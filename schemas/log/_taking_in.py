"""Sessions that were held elsewhere, kept as the log keeps its own (`schemas.bus.TakingIn`): on Redis, and its twin in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from functools import cache
from importlib.resources import files

from schemas.bus import Outcome, TakingIn
from schemas.codec import encode_event
from schemas.events import Event, SessionResumed, SessionStarted
from schemas.log import keys
from schemas.log._server import Argument, Server
from schemas.log._twin import Partition
from schemas.log._twin_values import StoredSession


@cache
def _take_in() -> str:
    return (files(__package__) / "take_in.lua").read_text("utf-8")


class _After:
    """What a session is after its last event, beside the events."""

    def __init__(self) -> None:
        self.generation, self.epoch, self.owner = 0, 1, ""

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.generation = max(self.generation, event.raises or 0)
            if isinstance(event, SessionStarted):
                self.owner = event.gateway
            elif isinstance(event, SessionResumed):
                self.owner, self.epoch = event.gateway, event.epoch


class RedisTakingIn(TakingIn):
    """A part of `RedisBus`."""

    _server: Server
    _retention: int

    def partition(self, session: str) -> int:
        raise NotImplementedError  # the log's

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        mark, after, page, waiting = secrets.token_hex(8), _After(), "first", list[Event]()
        async for more in events:
            if not more:
                continue
            if waiting:
                outcome = await self._page(session, page, mark, after, waiting)
                if outcome is not Outcome.OK:
                    return outcome
                page = "next"
            after.add(more)
            waiting = list(more)
        if page == "first":
            outcome = await self._page(session, "first", mark, after, [])
            if outcome is not Outcome.OK:
                return outcome
        return await self._page(session, "last", mark, after, waiting)

    async def _page(self, session: str, page: str, mark: str, after: _After, events: Sequence[Event]) -> Outcome:
        partition = self.partition(session)
        name = keys.session_hash(partition, session)
        names = (name, keys.events(partition, session), keys.closed_sessions(partition))
        told: list[Argument] = [page, mark, self._retention, after.generation, after.epoch, after.owner]
        for event in events:
            told += (event.seq, event.type, event.at, encode_event(event))
        answer: bytes = await self._server.command(name, "EVAL", _take_in(), len(names), *names, *told)
        return Outcome(answer.decode())


class MemoryTakingIn(TakingIn):
    """The same, for one process."""

    _log: list[Partition]

    def partition(self, session: str) -> int:
        raise NotImplementedError  # the log's

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        sessions, after, found = self._log[self.partition(session)].sessions, _After(), list[Event]()
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
