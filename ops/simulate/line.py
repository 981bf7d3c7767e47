"""The line between a caller and the agent, whatever it is made of: one says something, and hears what comes back."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.inputs import Joined
from gateway.sessions.session import Session
from ops.simulate.matching import variant_for
from ops.simulate.scenario import Caller
from ops.simulate.scene import Scene, TextRoom
from ops.simulate.tempers import cut_in, garbled
from schemas.bus import Reading
from schemas.client import SentenceMessage, StateMessage, ToClient, TurnMessage
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import EndRequested, Event
from schemas.session.state import OWN

M = TypeVar("M")

ANSWER_WITHIN = 60.0
"""Seconds."""
_ENDS_WITHIN = 10.0
"""Seconds from the moment the agent wants to end the call."""


class NoAnswer(AntiphonError):
    """The agent did not end its turn in time."""


class Line(ABC):
    """`name`: of the scenario: what chance there is depends on it; `session`: its id, once there is one; `messages`: what the
    caller was told, and when (monotonic seconds); `cut_ins`: how often the caller spoke over the agent."""

    def __init__(self, caller: Caller, name: str) -> None:
        self.caller, self.name = caller, name
        self.session = ""
        self.messages: list[tuple[float, ToClient]] = []
        self.cut_ins = 0
        self._known: list[Event] = []

    @abstractmethod
    async def connect(self) -> None:
        """Get in, and hear the greeting out. CallError, Refused: there is no getting in."""

    @abstractmethod
    async def say(self, text: str, cut_in: bool = False) -> None:
        """Say it and hear the answer out; with `cut_in` until the moment at which this caller speaks over it. NoAnswer."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End it, if it hasn't ended; and wait until its log is complete."""

    async def events(self) -> Sequence[Event]:
        """Its log so far."""
        if self.session:
            self._known += await self._log.read(self.session, self._known[-1].seq or 0 if self._known else 0)
        return self._known

    async def ends(self) -> bool:
        """Whether the agent, or an operator, wants it to end."""
        return any(isinstance(event, EndRequested) for event in await self.events())

    @property
    @abstractmethod
    def _log(self) -> Reading: ...

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the session has ended."""


def known_turns(messages: Sequence[tuple[float, ToClient]]) -> set[int]:
    """Turns of which something was told."""
    return {message.turn for _, message in messages if isinstance(message, SentenceMessage | TurnMessage)}


def joined(caller: Caller) -> Joined:
    return Joined(caller.identity, name=caller.name, attributes=caller.attributes)


class TextLine(Line):
    """A conversation in text, within this process. `patience`: seconds for an answer; `on_enter`: told the session's id, before
    anything is said in it."""

    def __init__(self, scene: Scene, agent: AgentSpec, caller: Caller, name: str, patience: float = ANSWER_WITHIN):
        super().__init__(caller, name)
        self._scene, self._agent, self._patience = scene, agent, patience
        over = cut_in(caller.temper)
        self._cut_at = over.sentence if over else 0
        self.on_enter: Callable[[str], None] = lambda _: None
        self._count, self._cutting_in = 0, False
        self._news = asyncio.Event()
        self._held: tuple[Session, TextRoom] | None = None
        self._state = "listening"
        self._before: set[int] = set()

    async def connect(self) -> None:
        self._held = await self._scene.enter(
            self._agent, joined(self.caller), self._note, variant_for(self.caller, self._agent)
        )
        self.session = self._session.name
        self.on_enter(self.session)
        if self._agent.greeting:
            await self._until(lambda: self._found(0, TurnMessage, lambda turn: turn.why == "greeting"))
        await self._settle()

    async def say(self, text: str, cut_in: bool = False) -> None:
        session, room = self._session, self._room
        since, self._before = len(self.messages), known_turns(self.messages)
        self.cut_ins += self._cutting_in
        self._cutting_in = False
        room.cut_at = self._cut_at if cut_in else None
        self._count += 1
        text = garbled(text, self.caller.temper, f"{self.name}/{self._count}")
        self._scene.say(session, room, self.caller.identity, text)
        if cut_in:
            await self._until(lambda: self._answered(since) or self._reached(since))
            if not self._answered(since) and not self.over:
                self._cutting_in = True
                return
            room.cut_at = None
        await self._until(lambda: self._answered(since))
        await self._settle()

    async def hang_up(self) -> None:
        if self._held is None:
            return
        if not self.over:
            self._scene.hang_up(*self._held)
        async with asyncio.timeout(_ENDS_WITHIN):
            await self._session.over.wait()

    @property
    def _log(self) -> Reading:
        return self._scene.bus

    @property
    def over(self) -> bool:
        return self._held is not None and self._session.over.is_set()

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _session(self) -> Session:
        assert self._held is not None
        return self._held[0]

    @property
    def _room(self) -> TextRoom:
        assert self._held is not None
        return self._held[1]

    def _note(self, message: ToClient) -> None:
        self.messages.append((time.monotonic(), message))
        if isinstance(message, StateMessage):
            self._state = message.state
        self._news.set()

    def _found(self, since: int, kind: type[M], fits: Callable[[M], bool]) -> bool:
        return any(isinstance(message, kind) and fits(message) for _, message in self.messages[since:])

    def _answered(self, since: int) -> bool:
        """The turn of what was typed has ended, however; not the one that was spoken over, nor what the agent says by itself."""
        return self._found(since, TurnMessage, lambda turn: turn.why not in OWN and turn.turn not in self._before)

    def _reached(self, since: int) -> bool:
        """The agent is at the sentence that is spoken over."""
        return (
            self._found(since, SentenceMessage, lambda said: said.index >= self._cut_at) and self._state == "speaking"
        )

    async def _until(self, reached: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while not reached() and not self.over:
                    self._news.clear()
                    over = asyncio.ensure_future(self._session.over.wait())
                    news = asyncio.ensure_future(self._news.wait())
                    try:
                        await asyncio.wait((over, news), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        over.cancel()
                        news.cancel()
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._patience:g} s") from None

    async def _settle(self) -> None:
        """Until nothing is under way any more: the agent is silent, and no worker has anything to answer; or it has ended."""
        began = time.monotonic()
        while not self.over and (self._state != "listening" or self._session.busy):
            if time.monotonic() - began > self._patience:
                raise NoAnswer(f"the agent was not done within {self._patience:g} s")
            await asyncio.sleep(0.002)
        if not self.over and await self.ends():
            async with asyncio.timeout(_ENDS_WITHIN):
                await self._session.over.wait()
