"""The file room: a recording in, a stereo recording out, in real time or as fast as it goes."""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gateway.inputs import Heard, Joined
from gateway.rooms.file.door import rejoin_file
from gateway.rooms.file.room import RATE, FileRoom
from schemas.config.agent import AgentSpec
from schemas.errors import AudioFileError
from schemas.events import SpeechPaused, SpeechStarted, TurnCommitted
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from tests.gateway.pools import Pools
from tests.gateway.rig import rig
from workers.testing import LoopClock, virtually


def recording(path: Path, *stretches: tuple[float, int], rate: int = 16_000) -> Path:
    """A WAV of stretches of (seconds, loudness)."""
    rng = np.random.default_rng(1)
    pcm = [(rng.uniform(-1, 1, int(seconds * rate)) * loudness).astype(np.int16) for seconds, loudness in stretches]
    soundfile.write(path, np.concatenate(pcm), rate, subtype="PCM_16")
    return path


@virtually
async def converse(source: Path, target: Path, real_time: bool, log: MemoryBus, out: dict[str, float]) -> None:
    async with rig(log) as gateway, Pools(log, says=["I hear you."], seconds=1.0):
        room = FileRoom(source, target, gateway.clock, real_time=real_time)
        session = await gateway.reception.open("s1", room, AgentSpec())
        began = gateway.clock.now()
        async with asyncio.timeout(60):
            await session.over.wait()
        await room.closed.wait()
        out["took"] = gateway.clock.now() - began


@pytest.mark.parametrize("real_time", [True, False])
def test_conversation(tmp_path: Path, real_time: bool) -> None:
    """The caller stands left and the agent right, each where it sounded, and the caller hangs up when the agent has answered."""
    source = recording(tmp_path / "in.wav", (0.5, 0), (1.5, 8000), (3.0, 0))
    target = tmp_path / "out.wav"
    log, out = MemoryBus(clock=LoopClock()), dict[str, float]()

    converse(source, target, real_time, log, out)
    types = [event.type for partition in log._log for event in partition.sessions["s1"].events]
    assert types.count("turn.ended") == 1
    assert types[-1] == "session.ended"
    sound, rate = soundfile.read(target, dtype="int16")
    assert (rate, sound.shape[1]) == (RATE, 2)
    assert len(sound) / RATE > 4.5
    left, right = (np.flatnonzero(np.abs(channel.astype(np.int32)) > 200) / RATE for channel in sound.T)
    assert left[0] == pytest.approx(0.5, abs=0.01)
    assert left[-1] == pytest.approx(2.0, abs=0.01)
    assert 2.1 < right[0] < 3.5
    assert right[-1] - right[0] == pytest.approx(1.0, abs=0.02)
    if real_time:
        assert out["took"] == pytest.approx(len(sound) / RATE, abs=0.3)


def test_hurrying_keeps_its_own_time(tmp_path: Path) -> None:
    """As fast as it goes, a silence is as long for turn-taking as it is in the recording."""
    source = recording(tmp_path / "in.wav", (0.5, 0), (1.5, 8000), (30.0, 0))
    log, out = MemoryBus(clock=LoopClock()), dict[str, float]()
    converse(source, tmp_path / "out.wav", False, log, out)
    events = [event for partition in log._log for event in partition.sessions["s1"].events]
    started = next(event for event in events if isinstance(event, SpeechStarted))
    paused = next(event for event in events if isinstance(event, SpeechPaused))
    committed = next(event for event in events if isinstance(event, TurnCommitted))
    assert started.clock is not None
    assert paused.clock is not None
    assert (paused.clock - paused.ago) - (started.clock - started.ago) == pytest.approx(1.5, abs=0.1)
    assert 0.2 < committed.delay < 1.6


async def test_an_hour_in_little_time_and_memory(tmp_path: Path) -> None:
    """An hour-long file is read in pieces, and an hour of silence takes far less than an hour."""
    source = tmp_path / "hour.wav"
    with soundfile.SoundFile(source, "w", 16_000, 1, "PCM_16") as file:
        for _ in range(3600):
            file.write(np.zeros(16_000, np.int16))
    room = FileRoom(source, None, MonotonicClock(), real_time=False)
    began = time.monotonic()
    for _ in range(10_000):
        room.drain()
    assert room.position() == pytest.approx(320, abs=1)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all"])
def test_broken_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no recording is one sentence, before any session begins."""
    (tmp_path / "in.wav").write_bytes(content)
    with pytest.raises(AudioFileError, match=r"in\.wav"):
        FileRoom(tmp_path / "in.wav", None, MonotonicClock())


def test_target_that_cannot_be_written(tmp_path: Path) -> None:
    """A target in a folder that isn't there is one sentence."""
    source = recording(tmp_path / "in.wav", (1, 0))
    with pytest.raises(AudioFileError, match="folder"):
        FileRoom(source, tmp_path / "no" / "out.wav", MonotonicClock())


async def test_goes_on_where_it_was(tmp_path: Path) -> None:
    """After a take-over the recording is heard on from where it was, and the same file is gone on with."""
    source = recording(tmp_path / "in.wav", (1.0, 1000), (1.0, 8000))
    target = tmp_path / "out.wav"
    room = FileRoom(source, target, MonotonicClock(), real_time=False)
    for _ in range(40):
        room.drain()
    await room.aclose("lost")

    class Beginning:
        room = f"{source}|{target}|fast"

    again = await rejoin_file(MonotonicClock())("s1", Beginning(), {"room": 40 * 512 / 16_000}, ())  # type: ignore[arg-type]
    assert again is not None
    assert again.position() == pytest.approx(1.28)
    heard = np.concatenate([item.pcm for _ in range(5) for item in again.drain() if hasattr(item, "pcm")])
    original, _ = soundfile.read(source, dtype="int16")
    assert (heard == original[40 * 512 : 45 * 512]).all()
    await again.aclose("end")
    sound, _ = soundfile.read(target, dtype="int16")
    assert len(sound) == 45 * 768


@pytest.mark.parametrize(("present", "joined"), [({"ann"}, []), ((), ["caller"])])
async def test_rejoined_as_whom_the_log_knows(tmp_path: Path, present: Collection[str], joined: list[str]) -> None:
    """After a take-over the recording is heard as the participant of the log; if it names none, the recording joins now."""

    class Beginning:
        room = f"{recording(tmp_path / 'a.wav', (2.0, 8000))}||fast"

    again = await rejoin_file(MonotonicClock())("s1", Beginning(), {}, present)  # type: ignore[arg-type]
    assert again is not None
    inputs = [item for _ in range(3) for item in again.drain()]
    assert [item.participant for item in inputs if isinstance(item, Joined)] == joined
    assert {item.participant for item in inputs if isinstance(item, Heard)} == set(present or joined)
    await again.aclose("end")


async def test_file_that_is_gone(tmp_path: Path) -> None:
    """A recording this machine doesn't have can't be rejoined."""

    class Beginning:
        room = f"{tmp_path}/gone.wav||real"

    assert await rejoin_file(MonotonicClock())("s1", Beginning(), {}, ()) is None  # type: ignore[arg-type]
