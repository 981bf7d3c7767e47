"""Playback: exact to the sample, whatever is paused, resumed, taken back or late."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from gateway.room import WordsAhead
from gateway.rooms.memory.room import MemoryRoom
from gateway.sound.playback import LEAD, Playback
from schemas.audio import AudioRef
from schemas.client import MOST_SHAPES
from schemas.events import ClipReady, Viseme, Word
from workers.testing import LoopClock, VirtualLoop, virtually

RATE = 16_000


class Bench:
    """One playback into a memory room. `clip` makes a part whose samples count up, so that each can be told apart."""

    def __init__(self, rate: int = RATE, delay: float = 0.0):
        self.room = MemoryRoom(LoopClock(), rate=rate)
        self.blobs: dict[str, bytes] = {}
        self.delay = delay
        self.playback = Playback(self.room, self._fetch, lambda: None)
        self.count = 0

    async def _fetch(self, key: str) -> bytes | None:
        await asyncio.sleep(self.delay)
        return self.blobs.get(key)

    def clip(
        self, seconds: float, *, part: int = 0, last: bool = True, rate: int = RATE, visemes: Sequence[Viseme] = ()
    ) -> ClipReady:
        samples = int(seconds * rate)
        pcm = (np.arange(self.count, self.count + samples) % 30_000).astype(np.int16)
        self.count += samples
        key = f"blob-{self.count}"
        self.blobs[key] = pcm.tobytes()
        ref = AudioRef(key=key, rate=rate, samples=samples)
        words = [Word(text="word", start=0.1, end=0.2)]
        clip = ClipReady(
            turn=1, generation=1, index=0, part=part, last=last, audio=ref, duration=seconds, words=words,
            visemes=list(visemes),
        )  # fmt: skip
        self.playback.prepare(clip)
        return clip

    def play(self, *clips: ClipReady) -> None:
        self.playback.play(1, 1, 0, [clip.audio for clip in clips], bool(clips) and clips[-1].last, None)

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.032)):
            await asyncio.sleep(0.032)
            self.playback.pump()


def counts_up(pcm: np.ndarray) -> bool:  # type: ignore[type-arg]
    return bool((np.diff(pcm.astype(np.int64)) % 30_000 == 1).all())


@virtually
async def test_lead() -> None:
    """The room is never given more than the lead, so that silence is one call away."""
    bench = Bench()
    clip = bench.clip(2.0)
    await asyncio.sleep(0)
    bench.play(clip)
    for _ in range(50):
        assert bench.room.queued() <= LEAD + 1e-3
        await bench.run(0.032)
    assert counts_up(bench.room.sound)


@virtually
async def test_parts_without_gap() -> None:
    """Parts follow one another without a gap, a repeat or a missing sample, though each comes while the one before sounds."""
    bench = Bench()
    bench.play(bench.clip(0.5, part=0, last=False))
    await bench.run(0.25)
    bench.clip(0.5, part=1, last=False)
    await bench.run(0.5)
    bench.clip(0.5, part=2)
    await bench.run(1.2)
    assert len(bench.room.sound) == 1.5 * RATE
    assert counts_up(bench.room.sound)
    report = bench.playback.report()
    assert report is not None
    assert report.finished
    assert report.position == pytest.approx(1.5)
    assert bench.playback.report() is None


@virtually
async def test_late_part() -> None:
    """When a part is late the sentence is not finished; it goes on when the part is there."""
    bench = Bench()
    bench.play(bench.clip(0.3, part=0, last=False))
    await bench.run(1.0)
    report = bench.playback.report()
    assert report is not None
    assert not report.finished
    bench.clip(0.3, part=1)
    await bench.run(1.0)
    report = bench.playback.report()
    assert report is not None
    assert report.finished
    assert counts_up(bench.room.sound)


@virtually
async def test_no_more_parts() -> None:
    """When the other parts will never come, the sentence ends with what there is."""
    bench = Bench()
    bench.play(bench.clip(0.3, part=0, last=False))
    await bench.run(1.0)
    bench.playback.no_more_parts((1, 1, 0))
    report = bench.playback.report()
    assert report is not None
    assert report.finished
    assert report.position == pytest.approx(0.3)


@pytest.mark.parametrize("at", [0.0, 0.05, 0.333, 0.9])
@virtually
async def test_pause_and_resume(at: float) -> None:
    """Paused anywhere, for however long, it goes on at that very sample."""
    bench = Bench()
    clip = bench.clip(1.0)
    await asyncio.sleep(0)
    bench.play(clip)
    await bench.run(at)
    bench.playback.pause()
    assert bench.room.queued() == 0
    position = len(bench.room.sound) / RATE
    await bench.run(3.0)
    report = bench.playback.report()
    assert report is None or report.position == pytest.approx(position)
    bench.playback.resume(position)
    await bench.run(1.5)
    assert len(bench.room.sound) == RATE
    assert counts_up(bench.room.sound)


@virtually
async def test_hush() -> None:
    """Hushed and let go on, also while paused, no sample is lost or heard twice."""
    bench = Bench()
    clip = bench.clip(1.0)
    await asyncio.sleep(0)
    bench.play(clip)
    await bench.run(0.3)
    bench.playback.hush()
    assert bench.room.queued() == 0
    await bench.run(1.0)
    bench.playback.unhush()
    await bench.run(0.2)
    bench.playback.pause()
    bench.playback.hush()
    bench.playback.unhush()
    assert bench.room.queued() == 0
    bench.playback.resume(len(bench.room.sound) / RATE)
    await bench.run(1.0)
    assert len(bench.room.sound) == RATE
    assert counts_up(bench.room.sound)


@virtually
async def test_stop() -> None:
    """Stopped, nothing more of that turn sounds, whatever of it still comes."""
    bench = Bench()
    bench.play(bench.clip(0.5, part=0, last=False))
    await bench.run(0.2)
    bench.playback.stop(1)
    heard = len(bench.room.sound)
    bench.clip(0.5, part=1)
    await bench.run(1.0)
    assert len(bench.room.sound) == heard
    assert bench.playback.report() is None


@virtually
async def test_prefetched() -> None:
    """A clip is fetched when it is ready: when it is to be played it sounds at once."""
    bench = Bench(delay=0.5)
    clip = bench.clip(1.0)
    await bench.run(0.6)
    bench.play(clip)
    assert bench.room.queued() > 0


@virtually
async def test_lost_blob() -> None:
    """Sound that is gone from the log is left out, and the sentence still ends."""
    bench = Bench()
    clip = bench.clip(1.0)
    bench.blobs.clear()
    bench.play(clip)
    await bench.run(0.1)
    report = bench.playback.report()
    assert report is not None
    assert report.finished


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_resampled(rate: int) -> None:
    """Parts at another rate are resampled by one filter: as long as they should be, and without a click at the joint."""
    wave = (10_000 * np.sin(2 * np.pi * 200 * np.arange(22_050) / 22_050)).astype(np.int16)

    async def run() -> np.ndarray:  # type: ignore[type-arg]
        bench = Bench(rate=rate)
        parts = (wave[:7_000], wave[7_000:15_001], wave[15_001:])
        for number, pcm in enumerate(parts):
            bench.blobs[str(number)] = pcm.tobytes()
            ref = AudioRef(key=str(number), rate=22_050, samples=len(pcm))
            bench.playback.prepare(
                ClipReady(
                    turn=1, generation=1, index=0, part=number, last=number == 2, audio=ref, duration=ref.duration
                )
            )
            if number == 0:
                bench.play()
        await bench.run(1.5)
        return bench.room.sound

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        sound = runner.run(run()).astype(np.int32)
    assert len(sound) == pytest.approx(rate, abs=2)
    steepest = 10_000 * 2 * np.pi * 200 / rate
    assert np.abs(np.diff(sound[100:-100])).max() < steepest * 1.2


@virtually
async def test_words_offset() -> None:
    """Word timings come with the first sample of their part, and again, moved, when a pause moved the sound."""
    bench = Bench()
    clip = bench.clip(1.0)
    await bench.run(0.032)
    bench.play(clip)
    assert [words.offset for words in bench.room.told(WordsAhead)] == [0]
    await bench.run(0.32)
    bench.playback.pause()
    heard = len(bench.room.sound)
    bench.playback.resume(heard / RATE)
    assert [words.offset for words in bench.room.told(WordsAhead)] == [0, -heard]


@virtually
async def test_words_of_parts_to_come() -> None:
    """With the first part's timings come those of the parts that are there already, and whether that is all."""
    bench = Bench()
    parts = [bench.clip(0.5, part=0, last=False), bench.clip(0.25, part=1, last=False)]
    bench.play(*parts)
    await bench.run(0.6)
    bench.clip(0.25, part=2)
    await bench.run(0.6)
    told = bench.room.told(WordsAhead)
    assert [words.rest for words in told] == [(("word", 0.6, 0.7),), (), ()]
    assert [words.whole for words in told] == [False, False, True]


@virtually
async def test_shapes_of_the_mouth_come_with_the_words() -> None:
    """Visemes are told as shapes and their ends, with the words of their part and not with another's, and never too many."""
    bench = Bench()
    shown = [Viseme(shape="PP", start=0, end=0.1), Viseme(shape="aa", start=0.1, end=0.5)]
    many = [Viseme(shape="aa" if at % 2 else "E", start=at / 2000, end=(at + 1) / 2000) for at in range(1000)]
    bench.play(
        bench.clip(0.5, part=0, last=False, visemes=shown),
        bench.clip(0.5, part=1, last=False, visemes=many),
        bench.clip(0.5, part=2),
    )
    await bench.run(2.0)
    first, second, third = (words.message(0).visemes for words in bench.room.told(WordsAhead))
    assert first == (("PP", 0.1), ("aa", 0.5))
    assert len(second) == MOST_SHAPES
    assert third == ()
