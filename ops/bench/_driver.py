"""A gateway reduced to what the log sees of it, for benchmarks that measure the log and the pools and no audio."""

import asyncio
import contextlib
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from schemas.audio import AudioRef
from schemas.bus import Gatekeeping, Hold, Outcome, Publication, Storing
from schemas.config.agent import AgentSpec
from schemas.events import Event, SessionStarted, TurnCommitted, TurnEnded, UtteranceCaptured
from schemas.jobs import LlmJob, SttJob

_SECOND = (np.sin(np.arange(16_000) / 9) * 8_000).astype(np.int16).tobytes()
"""Not silence: a simulated STT hears words in it."""


@dataclass
class _Session:
    epoch: int
    audio: AudioRef
    operation: int = 0
    turn: int = 0
    waiting: dict[str, list[asyncio.Future[Event]]] = field(default_factory=lambda: defaultdict(list))


class DriverBus(Gatekeeping, Storing, Protocol):
    """The log as a gateway without rooms knows it."""


class Driver:
    """Opens sessions, publishes turns, and says when their events came back through the inbox."""

    def __init__(self, bus: DriverBus, agent: AgentSpec | None = None):
        self.bus = bus
        self.owner = f"bench-{secrets.token_hex(3)}"
        self.sessions: dict[str, _Session] = {}
        self._agent = agent or AgentSpec()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Driver":
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._hold())]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def open(self) -> str:
        name = f"bench-{secrets.token_hex(6)}"
        started = SessionStarted(room="bench", transport="memory", agent=self._agent, gateway=self.owner)
        claimed = await self.bus.open(name, self.owner, secrets.token_hex(4), [started])
        assert claimed.receipt.outcome is Outcome.OK, claimed
        key = await self.bus.put_blob(name, "second", _SECOND)
        self.sessions[name] = _Session(claimed.epoch, AudioRef(key=key, rate=16_000, samples=16_000))
        return name

    async def capture(self, name: str, *, reply: bool) -> tuple[int, str]:
        """One utterance of one second goes to STT; `reply`: the LLM follows. Answers the turn and the utterance."""
        session = self.sessions[name]
        session.turn += 1
        turn, utterance = session.turn, f"u{session.turn}"
        then = LlmJob.of(self._agent, name, turn, turn, committed=False) if reply else None
        job = SttJob.of(self._agent, name, turn, utterance, "caller", then=then)
        await self.publish(
            name,
            [
                UtteranceCaptured(
                    turn=turn, utterance=utterance, participant="caller", audio=[session.audio], duration=1.0
                )
            ],
            [job.model_copy(update={"audio": [session.audio], "deadline": 30.0})],
            raises=turn,
        )
        return turn, utterance

    async def end_turn(self, name: str, turn: int, heard: str) -> None:
        await self.publish(
            name,
            [
                TurnCommitted(turn=turn, why="end_of_turn"),
                TurnEnded(turn=turn, generation=turn, how="played", heard=heard),
            ],
        )

    async def publish(
        self, name: str, events: list[Event], jobs: list[SttJob] | None = None, raises: int | None = None
    ) -> None:
        session = self.sessions[name]
        session.operation += 1
        receipt = await self.bus.publish(
            name, session.epoch, Publication(session.operation, events, jobs or [], raises=raises)
        )
        assert receipt.outcome is Outcome.OK, receipt

    def expect(self, name: str, kind: str) -> asyncio.Future[Event]:
        """The next event of that type of that session."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self.sessions[name].waiting[kind].append(future)
        return future

    async def close(self, name: str) -> None:
        session = self.sessions.pop(name)
        await self.bus.close(name, session.epoch, Publication(session.operation + 1))

    async def _read(self) -> None:
        last_ids = dict.fromkeys(range(self.bus.partitions), "0")
        while True:
            entries, last_ids = await self.bus.inbox(self.owner, last_ids, 1.0)
            for entry in entries:
                session = self.sessions.get(entry.session)
                waiting = session.waiting[entry.event.type] if session else []
                while waiting:
                    future = waiting.pop(0)
                    if not future.done():
                        future.set_result(entry.event)
                        break

    async def _hold(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                for partition in range(self.bus.partitions):
                    mine = [
                        Hold(name, session.epoch)
                        for name, session in list(self.sessions.items())
                        if self.bus.partition(name) == partition
                    ]
                    if mine:
                        await self.bus.hold(self.owner, partition, mine)
            await asyncio.sleep(0.5)
