"""Sessions that were held elsewhere, kept as the log keeps its own (`schemas.bus.TakingIn`): on Redis."""

import secrets
from collections.abc import AsyncIterator, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from schemas.bus import Outcome, TakingIn
from schemas.log import keys
from schemas.log._server import Argument, Server

if TYPE_CHECKING:
    from schemas.events import Event


@cache
def _take_in() -> str:
    return (files(__package__) / "take_in.lua").read_text("utf-8")


class After:
    """What a session is after its last event, beside the events."""

    def __init__(self) -> None:
        self.generation, self.epoch, self.owner = 0, 1, ""

    def add(self, events: "Sequence[Event]") -> None:
        for event in events:
            self.generation = max(self.generation, event.raises or 0)
            if event.type == "session.started":
                self.owner = event.gateway
            elif event.type == "session.resumed":
                self.owner, self.epoch = event.gateway, event.epoch


class RedisTakingIn(TakingIn):
    """A part of `RedisBus`."""

    _server: Server
    _retention: int

    def partition(self, session: str) -> int:
        raise NotImplementedError  # the log's

    async def take_in(self, session: str, events: "AsyncIterator[Sequence[Event]]") -> Outcome:
        mark, after, page, waiting = secrets.token_hex(8), After(), "first", list["Event"]()
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

    async def _page(self, session: str, page: str, mark: str, after: After, events: "Sequence[Event]") -> Outcome:
        partition = self.partition(session)
        name = keys.session_hash(partition, session)
        names = (
            name, keys.events(partition, session), keys.closed_sessions(partition), keys.taking_in(partition, session),
        )  # fmt: skip
        from schemas.codec import encode_event

        told: list[Argument] = [page, mark, self._retention, after.generation, after.epoch, after.owner]
        for event in events:
            told += (event.seq, event.type, event.at, encode_event(event))
        answer: bytes = await self._server.command(name, "EVAL", _take_in(), len(names), *names, *told)
        return Outcome(answer.decode())
