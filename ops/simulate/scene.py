"""A deployment in one process, for conversations in text: the real gateway, its turn-taking, the real LLM stage and the
tools' own pool, over a log in memory. Only the sound is left out: what the agent says counts as spoken once it is told.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from gateway.inputs import Attached, HungUp, Joined, RoomInput, Typed
from gateway.room import Room, ToRoom, WordsAhead
from gateway.sessions.engine import Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.sessions.session import Session
from ops.simulate.matching import name_for
from schemas.audio import Pcm
from schemas.client import SentenceMessage, ToClient
from schemas.clock import Clock
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.lease import LONGEST
from schemas.config.settings import Settings
from schemas.events import TransportName, Word
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from workers.llm import LlmStage
from workers.providers import Llm, Sound, Speaking, Tts
from workers.runtime import Worker, WorkerOptions
from workers.tools import ToolStage
from workers.tts import TtsStage

_RATE = 16_000
_TROUBLES_NOBODY = ("antiphon.gateway.engine", "antiphon.gateway.leases", "antiphon.gateway.pools")
"""What warns of late ticks, of a process that stood still, and of stages without workers."""
_CLIP = 64
"""Samples of a sentence: enough for its words to have places, and over before anybody waits for it."""


class Mute(Tts):
    """A voice that takes no time: its words stand where they would, in four milliseconds of silence."""

    model = "mute"
    takes_options = True

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        words = request.text.split()
        each = _CLIP / _RATE / max(1, len(words))
        timed = [Word(text=word, start=n * each, end=(n + 1) * each) for n, word in enumerate(words)]
        yield Sound(np.zeros(_CLIP, np.int16), _RATE, last=True, words=timed)


class _Warm(LlmStage):
    """Nobody is asked before a conversation asks; who wants to know before whether the endpoint is there has warmed it up."""

    async def warm_up(self) -> None: ...


class Deaf:
    """A VAD for rooms without sound."""

    def warm_up(self) -> None: ...

    def take_slot(self) -> int:
        return 0

    def give_slot(self, slot: int) -> None: ...

    def run(self, slots: list[int], frames: Pcm) -> list[float]:
        return [0.0] * len(slots)


class TextRoom(Room):
    """A room in which one types. `on_message` is told what a client would be; `cut_at`: where the reply has come to the sentence
    of this number (from 0), it is heard to that one's middle and goes no further, so that there is something to interrupt."""

    transport: TransportName = "memory"
    rate = _RATE

    def __init__(self, clock: Clock, name: str, on_message: Callable[[ToClient], None]):
        self.name, self.clock = name, clock
        self.cut_at: int | None = None
        self._held = False
        self._on_message = on_message
        self._inputs: list[RoomInput] = []
        self._pushed = 0

    def put(self, item: RoomInput) -> None:
        self._inputs.append(item)

    def drain(self) -> list[RoomInput]:
        inputs, self._inputs = self._inputs, []
        return inputs

    def push(self, pcm: Pcm) -> None:
        self._pushed += len(pcm)

    def queued(self) -> float:
        if not self._held:
            self._pushed = 0
        return self._pushed // 2 / self.rate

    def clear(self) -> float:
        dropped = self.queued()
        self._pushed, self._held = 0, False
        return dropped

    def send(self, message: ToRoom) -> None:
        if isinstance(message, SentenceMessage) and message.index == self.cut_at:
            self._held = True
        if not isinstance(message, WordsAhead):
            self._on_message(message)

    async def aclose(self, reason: str) -> None: ...


class Scene:
    """Where conversations in text take place. `bus`: their logs; `agents`: who can be had."""

    def __init__(self, settings: Settings, llm: Llm, agents: Agents, *, at_once: int = 16):
        """`llm`: warm, and the caller's to close; `at_once`: conversations."""
        clock = MonotonicClock()
        self.bus = MemoryBus(lease=LONGEST)  # nobody else is there to take over
        self.agents = agents
        house = House(self.bus, clock, Deaf(), f"simulate-{secrets.token_hex(3)}")
        self._clock, self._house = clock, house
        self._engine = Engine(house, threaded=False)
        self._reception = Reception(house, self._engine, agents)
        voice = Mute(settings)
        slots = settings.model_copy(update={"worker_slots": max(settings.worker_slots, at_once)})
        options = WorkerOptions(max_deliveries=settings.max_deliveries, drain=0.0)
        self._workers = [
            Worker(self.bus, _Warm(llm, slots), options),
            Worker(self.bus, TtsStage(voice, slots, lambda _: voice), options),
            Worker(self.bus, ToolStage(slots), options),
        ]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Scene"]:
        """Conversations may be held meanwhile; whatever goes on at its end is broken off."""
        async with AsyncExitStack() as stack:
            for logger in map(logging.getLogger, _TROUBLES_NOBODY):
                stack.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.ERROR)
            await self._engine.start()
            stack.push_async_callback(self._engine.aclose)
            self._reception.start()
            stack.push_async_callback(self._reception.aclose)
            for worker in self._workers:
                running = asyncio.create_task(worker.run())
                stack.push_async_callback(_ended, worker, running)
            yield self
            for session in list(self._engine.sessions.values()):
                session.let_go("the simulation is over")

    async def enter(
        self, agent: AgentSpec, caller: Joined, on_message: Callable[[ToClient], None], variant: str = ""
    ) -> tuple[Session, TextRoom]:
        """A new session with `agent`, and `caller` in it. `variant`: which of its variants, "" where it has none."""
        name = name_for(variant, agent, _new_name(), _new_name)
        room = TextRoom(self._clock, name, on_message)
        session = await self._reception.open(name, room, agent)
        room.put(caller)
        room.put(Attached())
        self._listen(session)
        session.streams.clear()  # nobody is heard: no silence need be filled in
        return session, room

    def say(self, session: Session, room: TextRoom, who: str, text: str) -> None:
        """Heard at once, and not with the next tick."""
        room.put(Typed(who, text))
        self._listen(session)

    def hang_up(self, session: Session, room: TextRoom) -> None:
        room.put(HungUp("hang_up"))
        self._listen(session)

    def _listen(self, session: Session) -> None:
        try:
            session.listen()
        except Exception as error:
            session.fail(error)


def _new_name() -> str:
    return f"sim-{secrets.token_hex(6)}"


async def _ended(worker: Worker, running: "asyncio.Task[None]") -> None:
    worker.stop()
    worker.stop()
    with contextlib.suppress(Exception):
        await running
    await worker.handler.aclose()
