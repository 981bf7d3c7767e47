"""`antiphon bench archive`: what it costs to put a call away, and whether those that go on notice.

A call of `minutes` in which both sides speak in turns, as stored sound (the packaged recordings, over and over), is archived:
seconds of one core with everything read back, MiB a minute with each codec; then one of an hour, and how much larger the process
gets. Beside a gateway's publishes on the same Redis, archiving goes on and off, again and again: the p95 of a publish with it
over that without, and how much of that is chance.
"""

import asyncio
import random
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, cycle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
import soxr

from ops.bench import machine
from ops.bench._turns import OWNER, Talk, Written
from ops.bench.figures import milliseconds, percentile
from ops.stack.embedded.valkey import Valkey
from schemas.archive.archiving import Archived, archive_session
from schemas.archive.store import Archive, open_archive
from schemas.audio import AudioRef, Pcm
from schemas.bus import Bus
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.events import (
    ClipReady,
    Event,
    ParticipantJoined,
    PlaybackFinished,
    PlaybackStarted,
    SessionStarted,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.log import connected

_LINES = Path(__file__).with_name("lines")
_CALLER, _AGENT = 16_000, 22_050
_HELD = 4
"""Calls that end before some are archived, one by one."""
_REST = 0.008
"""Seconds between two publishes: as of some ten calls."""


def _recordings(rate: int) -> list[bytes]:
    """What people say, at `rate`, as PCM."""
    made = []
    for path in sorted(_LINES.glob("*.flac")):
        sound, found = soundfile.read(path, dtype="int16")
        heard: Pcm = soxr.resample(sound, found, rate) if found != rate else sound
        made.append(np.asarray(heard).astype("<i2").tobytes())
    return made


class _Call(Written):
    """One whose sound is there."""

    def __init__(self, bus: Bus, name: str, said: Iterator[bytes], answered: Iterator[bytes]) -> None:
        super().__init__(bus, name)
        self._log, self._said, self._answered = bus, said, answered
        self._turn = 0
        self.seconds = 0.0

    async def open(self) -> None:
        start = SessionStarted(room=self.name, transport="memory", agent=AgentSpec(), gateway=OWNER)
        await self.begin([start, ParticipantJoined(participant="caller", name="Ann Caller")])

    async def _sound(self, name: str, pcm: bytes, rate: int) -> AudioRef:
        key = await self._log.put_blob(self.name, name, pcm)
        self.seconds += len(pcm) / 2 / rate
        return AudioRef(key=key, rate=rate, samples=len(pcm) // 2)

    async def turn(self) -> None:
        """Question and answer."""
        self._turn += 1
        number, one = self._turn, f"u{self._turn}"
        heard = await self._sound(one, next(self._said), _CALLER)
        said = await self._sound(f"{number}.0", next(self._answered), _AGENT)
        at: dict[str, Any] = {"turn": number}
        events: list[list[Event]] = [
            [UtteranceCaptured(utterance=one, participant="caller", audio=[heard], duration=heard.duration, **at)],
            [TranscriptFinal(utterance=one, participant="caller", text="When does the train leave?", took=0.1, **at)],
            [TurnCommitted(why="end_of_turn", **at)],
            [ClipReady(generation=0, index=0, audio=said, duration=said.duration, text="At ten.", took=0.1, **at)],
            [PlaybackStarted(generation=0, index=0, **at)],
            [PlaybackFinished(generation=0, index=0, position=said.duration, **at)],
            [TurnEnded(generation=0, how="played", heard="At ten.", **at)],
        ]
        for some in events:
            await self.publish(some)


async def _held(bus: Bus, name: str, minutes: float, said: Iterator[bytes], answered: Iterator[bytes]) -> float:
    """A call of so many minutes that has ended; the seconds of sound in it."""
    one = _Call(bus, name, said, answered)
    await one.open()
    while one.seconds < minutes * 60:
        await one.turn()
    await one.close()
    return one.seconds


async def _archived(bus: Bus, archive: Archive, name: str, sound: Literal["flac", "opus"]) -> tuple[float, float]:
    """Seconds of processor, and bytes."""
    began = time.process_time()
    assert await archive_session(bus, archive, name, sound=sound) is Archived.DONE
    spent = time.process_time() - began
    standing = await archive.standing(name)
    assert standing is not None
    return spent, standing.bytes + standing.sound_bytes


def _resident() -> float:
    """MiB, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@asynccontextmanager
async def _places() -> AsyncIterator[tuple[Bus, Archive, str, Path]]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        at = Path(folder)
        async with (
            # no rewrite of its file falls into the moments with, or into those without
            Valkey(at / "valkey", appendfsync="everysec", options={"auto-aof-rewrite-percentage": "0"}) as server,
            connected(Settings(_env_file=None, redis_url=server.url)) as bus,
            open_archive(f"sqlite:///{at / 'archive.sqlite'}", str(at / "sound"), upgrade=True) as archive,
        ):
            yield bus, archive, server.url, at


async def bench(seconds: float = 40.0, **_: Any) -> dict[str, Any]:
    """`seconds`: how long calls go on beside it."""
    said, answered = cycle(_recordings(_CALLER)), cycle(_recordings(_AGENT))
    figures: dict[str, Any] = {}
    async with _places() as (bus, archive, url, folder):
        minutes = {name: await _held(bus, name, 10, said, answered) / 60 for name in ("warm", "flac", "opus")}
        await _archived(bus, archive, "warm", "flac")
        spent, size = await _archived(bus, archive, "flac", "flac")
        figures |= {"seconds": round(spent, 2), "mb_per_minute_lossless": round(size / 1e6 / minutes["flac"], 3)}
        size = (await _archived(bus, archive, "opus", "opus"))[1]
        figures["mb_per_minute_opus"] = round(size / 1e6 / minutes["opus"], 3)
        await _held(bus, "hour", 60, said, answered)
        before = _resident()
        hour = (await _archived(bus, archive, "hour", "flac"))[0]
        figures |= {"rss_growth_mb": round(_resident() - before, 1), "hour_seconds": round(hour, 2)}
        figures |= await _beside(bus, url, folder, seconds, said, answered)
    return figures | machine()


_WORKER = """
import asyncio, os, sys
from schemas.archive import archive_session, open_archive
from schemas.log import RedisBus

async def main(url, place, sound):
    os.nice(10)
    bus = RedisBus(url)
    await bus.start()
    async with open_archive(place, sound, upgrade=True) as archive:
        print("ready", flush=True)
        for line in sys.stdin:
            await archive_session(bus, archive, line.strip())
            print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def _beside(
    bus: Bus, url: str, folder: Path, seconds: float, said: Iterator[bytes], answered: Iterator[bytes]
) -> dict[str, Any]:
    """A call that goes on, its publishes timed while others are archived by a process of its own (niced, as `up` starts it), and
    for as long before or after each, in turns, while none is. How far chance reaches is told too."""
    import sys

    place = f"sqlite:///{folder / 'beside.sqlite'}"
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, url, place, str(folder / "beside"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    await worker.stdout.readline()
    live = Talk(bus, "live")
    await live.open()

    async def beside(name: str) -> list[float]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{name}\n".encode())
        return await _timed(live, asyncio.ensure_future(worker.stdout.readline()))

    async def alone(long: float) -> list[float]:
        return await _timed(live, asyncio.ensure_future(asyncio.sleep(long)))

    rounds: list[tuple[list[float], list[float]]] = []
    end, long = time.monotonic() + seconds, 1.0
    while time.monotonic() < end or len(rounds) < _HELD:
        names = [f"beside-{len(rounds) + number}" for number in range(_HELD)]
        for name in names:
            await _held(bus, name, 10, said, answered)
        await asyncio.sleep(2.0)  # what was written for them is on the disk
        for number, name in enumerate(names):
            first = await alone(long) if number % 2 else []
            began = time.monotonic()
            with_it = await beside(name)
            long = time.monotonic() - began
            rounds.append((with_it, first or await alone(long)))
    worker.stdin.close()
    await worker.wait()
    return _compared(rounds)


def _compared(rounds: list[tuple[list[float], list[float]]]) -> dict[str, Any]:
    """`live_p95_ratio_90`: where nine of ten such runs would have the ratio, drawn from these rounds;
    `live_p95_ratio_of_nothing`: what it is between the halves of those without."""
    pooled = [list(chain.from_iterable(one[side] for one in rounds)) for side in (0, 1)]
    halves = [list(chain.from_iterable(one[1] for one in rounds[half::4] + rounds[half + 1 :: 4])) for half in (0, 2)]
    dice = random.Random(5)
    drawn = [_ratio(dice.choices(rounds, k=len(rounds))) for _ in range(400)]
    return {
        "live_p95_ratio": round(_ratio(rounds), 3),
        "live_p95_ratio_90": [round(percentile(drawn, 5), 3), round(percentile(drawn, 95), 3)],
        "live_p95_ratio_of_nothing": round(percentile(halves[0], 95) / percentile(halves[1], 95), 3),
        "live_p95_ms": milliseconds(pooled[1], 95),
        "live_p95_beside_ms": milliseconds(pooled[0], 95),
        "live_publishes": [len(pooled[1]), len(pooled[0])],
    }


def _ratio(rounds: list[tuple[list[float], list[float]]]) -> float:
    beside, alone = (percentile(list(chain.from_iterable(one[side] for one in rounds)), 95) for side in (0, 1))
    return beside / alone


async def _timed(live: Talk, until: "asyncio.Future[Any]") -> list[float]:
    """Seconds of each publish, one and then a rest as of a few calls, until that is done."""
    times = []
    while not until.done():
        began = time.perf_counter()
        await live.publish([ParticipantJoined(participant="caller")])
        times.append(time.perf_counter() - began)
        await asyncio.sleep(_REST)
    await until
    return times
