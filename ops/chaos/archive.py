"""`antiphon chaos --archive`: calls end all the time, jobs workers put them away, and workers and the log's server (a real
Valkey, `appendfsync always`) are killed in the midst of it. Then it stops, what was left half done becomes due again (a minute
or two later), and each call has to be in the archive as it was in the log: every event, every sound.

PostgreSQL in SQLite's place is killed by `TEST_KILLS=200 pytest tests/schemas/archive/test_killed.py`, which brings its own.
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Role, kept, preload
from ops.stack.system import free_port
from schemas.archive.store import Archive, open_archive
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Bus, Publication
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import ArchiveError, BusUnavailable
from schemas.events import Event, ParticipantJoined, SessionEnded, SessionStarted, TurnEnded, UtteranceCaptured
from schemas.log import connected

__all__ = ["ArchiveChaos", "Before", "chaos", "lost_or_altered"]

_OWNER = "chaos"
_CALLS, _TURNS, _SECONDS = 3, 4, 3.0
"""Calls that end before each kill, turns of one, seconds of sound in a turn."""
_PAUSE = (0.05, 0.8)
"""Seconds before a kill."""
_WITHIN = 300.0
"""Seconds until all is archived: who was killed may hold a call for one minute, and what sweeps for another two."""
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class ArchiveChaos:
    """`server_share`: of the kills, those of the log's server; `at_once`: what was left half done is made due by us, for who has
    no minutes to wait for that."""

    kills: int = 200
    workers: int = 2
    server_share: float = 0.25
    seed: int = 1
    keep: Path | None = None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What the log had of a call before its end; by key its sounds."""

    events: Sequence[Event]
    sounds: Mapping[str, bytes]


async def chaos(options: ArchiveChaos, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Answers `sessions kills server_kills violations drained_s` and what explains them."""
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-chaos-")))
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        url, sound = f"sqlite:///{folder / 'archive.sqlite'}", str(folder / "sound")
        preload("ops.jobs.worker")
        async with (
            Valkey(folder / "valkey", free_port(), "always") as server,
            connected(Settings(redis_url=server.url)) as bus,
            open_archive(url, sound, upgrade=True) as archive,
        ):
            shared = {"REDIS_URL": server.url, "JOBS_REDIS_URL": "", "ARCHIVE_URL": url, "ARCHIVE_BLOBS": sound}
            shared |= {"HEALTH_PORT": "0", "LOG_LEVEL": "info"}
            roles = [
                Role(f"jobs-{number}", "jobs", shared, folder / "logs" / f"jobs-{number}.log")
                for number in range(options.workers)
            ]
            async with kept(roles) as workers:
                return await _Run(options, server, bus, archive, workers, say).run()


async def lost_or_altered(archive: Archive, before: Mapping[str, Before]) -> list[str]:
    """What is wrong with these calls, which no log has any more: a sentence each."""
    wrong = []
    for name, was in before.items():
        standing = await archive.standing(name)
        if standing is None or standing.state != "done":
            wrong.append(f"{name}: neither in the log nor in the archive ({standing.state if standing else 'unknown'})")
            continue
        try:
            await archive.read_back(name, standing.seq, standing.hash)
            *events, end = await archive.read(name)
            if events != [*was.events] or not isinstance(end, SessionEnded):
                wrong.append(f"{name}: its events are not those the log had")
            wrong += [
                f"{name}: {key} is not what it was"
                for key, pcm in was.sounds.items()
                if await archive.get_blob(key) != pcm
            ]
        except ArchiveError as error:
            wrong.append(str(error))
    return wrong


class _Run:
    def __init__(
        self,
        options: ArchiveChaos,
        server: Valkey,
        bus: Bus,
        archive: Archive,
        workers: Sequence[KeptProcess],
        say: Callable[[str], None],
    ) -> None:
        self._options, self._server, self._bus, self._archive = options, server, bus, archive
        self._workers, self._say = workers, say
        self._dice = random.Random(options.seed)
        self._before: dict[str, Before] = {}

    async def run(self) -> dict[str, Any]:
        self._say(f"killing {self._options.kills} times while calls are archived …")
        servers = 0
        for _ in range(self._options.kills):
            for _ in range(_CALLS):
                await self._call(f"chaos-{len(self._before) + 1}")
            await asyncio.sleep(self._dice.uniform(*_PAUSE))
            if self._dice.random() < self._options.server_share:
                servers += 1
                await self._server.kill()
                await self._server.start()
            else:
                await self._dice.choice(self._workers).kill()
        self._say("no more kills; waiting for what was left half done …")
        began = time.monotonic()
        waiting = await self._drained()
        violations = [f"{name}: not archived within {_WITHIN:.0f} s" for name in waiting]
        gone = {name: was for name, was in self._before.items() if name not in waiting}
        violations += await lost_or_altered(self._archive, gone)
        return {
            "sessions": len(self._before),
            "kills": self._options.kills,
            "server_kills": servers,
            "violations": len(violations),
            "drained_s": round(time.monotonic() - began, 1),
            "first_violations": violations[:10],
        }

    async def _drained(self) -> list[str]:
        """Those that the log still has after all the time there is."""
        waiting, end = list(self._before), time.monotonic() + _WITHIN
        for name in waiting if self._options.at_once else ():
            await self._archive.again(name, only="pending")
        while waiting and time.monotonic() < end:
            await asyncio.gather(*(worker.replace_if_dead() for worker in self._workers))
            waiting = [name for name in waiting if await _insist(lambda name=name: self._bus.info(name)) is not None]  # type: ignore[misc]
            await asyncio.sleep(0.25)
        return waiting

    async def _call(self, name: str) -> None:
        """One that has ended, with its sound."""
        sounds: dict[str, bytes] = {}
        events: list[Event] = [
            SessionStarted(room=name, transport="memory", agent=AgentSpec(), gateway=_OWNER),
            ParticipantJoined(participant="caller", name="Ann Caller"),
        ]
        for turn in range(1, _TURNS + 1):
            pcm = _tone(len(self._before) + turn)
            key = await _insist(lambda turn=turn, pcm=pcm: self._bus.put_blob(name, f"u{turn}", pcm))  # type: ignore[misc]
            sounds[key] = pcm
            ref = AudioRef(key=key, rate=HEARING_RATE, samples=len(pcm) // 2)
            events += [
                UtteranceCaptured(
                    turn=turn, utterance=f"u{turn}", participant="caller", audio=[ref], duration=_SECONDS
                ),
                TurnEnded(turn=turn, how="dropped", reason="noise"),
            ]
        await _insist(lambda: self._bus.open(name, _OWNER, name, events))
        self._before[name] = Before(await _insist(lambda: self._bus.read(name)), sounds)
        await _insist(lambda: self._bus.close(name, 1, Publication(1, [SessionEnded(reason="hang_up")])))


def _tone(seed: int) -> bytes:
    """What FLAC makes smaller, and no two alike."""
    moments = np.arange(round(_SECONDS * HEARING_RATE)) / HEARING_RATE
    noise = np.random.default_rng(seed).normal(0, 60, len(moments))
    sound = 9_000 * np.sin(2 * np.pi * (110 + seed % 300) * moments) + noise
    return sound.astype("<i2").tobytes()


async def _insist(work: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Until the log, which was just killed, answers."""
    while True:
        try:
            return await work()
        except BusUnavailable:
            await asyncio.sleep(0.02)
