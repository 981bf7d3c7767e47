"""A background and a sound of thinking: heard, and counted as no voice of the agent's."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gateway.room import WordsAhead
from gateway.rooms.memory.room import MemoryRoom
from gateway.sound.backdrop import AHEAD, DUCKED, Backdrop, Loop, read_loop
from gateway.sound.playback import LEAD, Playback
from gateway.sound.queue import PcmQueue
from gateway.sound.soft import soft
from schemas.audio import AudioRef, Pcm
from schemas.clock import Now
from schemas.errors import AudioFileError
from schemas.events import ClipReady, Word

RATE = 16_000
LOUD, HUM = 10_000, 100


class _Clock:
    def __init__(self) -> None:
        self.time = 50.0

    def now(self) -> Now:
        return Now(self.time)


class Bench:
    """A memory room with a hum in it: every sample of the background is `HUM`, every one of the voice `LOUD`."""

    def __init__(self, background: bool = True, thinking: bool = False):
        self.clock = _Clock()
        self.room = MemoryRoom(self.clock, rate=RATE)
        self.backdrop = Backdrop(self.room, self.clock)
        if background:
            self.backdrop.background = Loop(np.full(1000, HUM, np.float32))
        if thinking:
            self.backdrop.thinking = Loop(np.full(1000, 3 * HUM, np.float32))
        self.blobs: dict[str, bytes] = {}
        self.playback = Playback(self.backdrop, self._fetch, lambda: None)

    async def _fetch(self, key: str) -> bytes | None:
        return self.blobs.get(key)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.032)):
            self.clock.time += 0.032
            self.playback.pump()
            self.backdrop.pump(heard=True)

    def clip(self, seconds: float) -> ClipReady:
        samples = round(seconds * RATE)
        self.blobs["clip"] = np.full(samples, LOUD, np.int16).tobytes()
        ref = AudioRef(key="clip", rate=RATE, samples=samples)
        words = [Word(text="word", start=0.0, end=seconds)]
        return ClipReady(turn=1, generation=1, index=0, audio=ref, duration=seconds, words=words)


async def says(bench: Bench, seconds: float) -> None:
    clip = bench.clip(seconds)
    bench.playback.prepare(clip)
    for _ in range(3):
        await asyncio.sleep(0)
    bench.playback.play(1, 1, 0, [clip.audio], True, None)


def test_it_is_heard_without_a_gap() -> None:
    """As long as somebody hears, a tenth of a second ahead of the ear and no more."""
    bench = Bench()
    bench.pass_time(3.2)
    assert len(bench.room.sound) == pytest.approx((3.2 + AHEAD) * RATE, abs=RATE * 0.04)
    assert set(bench.room.sound) == {HUM}
    assert bench.room.queued() <= AHEAD + 1e-6
    assert bench.backdrop.queued() == 0.0


def test_a_loop_goes_on_where_it_was() -> None:
    """Round and round; what was taken back is heard again."""
    loop = Loop(np.arange(10, dtype=np.float32))
    assert list(loop.take(13)) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    loop.back(5)
    assert list(loop.take(3)) == [8, 9, 0]


def test_a_loop_has_no_seam(tmp_path: Path) -> None:
    """Its end fades into its beginning: no step is larger than within it."""
    time = np.arange(RATE) / RATE
    sound = np.round(8000 * np.sin(2 * np.pi * 97.3 * time) * (0.3 + time)).astype(np.int16)
    soundfile.write(tmp_path / "office.wav", sound, RATE)
    loop = read_loop(tmp_path / "office.wav", RATE, -6.0)
    twice = loop.take(2 * len(loop.sound))
    steps = np.abs(np.diff(twice))
    seam = steps[len(loop.sound) - 5 : len(loop.sound) + 5].max()
    assert seam <= 1.5 * np.percentile(steps, 99)
    assert 0.7 < np.abs(twice).max() / (8000 * 1.3 * 10 ** (-6 / 20)) <= 1.0


async def test_the_voice_is_exact_and_the_background_ducked_under_it() -> None:
    """Positions are the voice's alone, to the sample; what is heard is both."""
    bench = Bench()
    bench.pass_time(1.0)
    before = len(bench.room.sound)
    await says(bench, 1.0)
    assert bench.backdrop.queued() == pytest.approx(LEAD, abs=0.001)
    bench.pass_time(0.512)
    played = bench.playback.report()
    assert played is not None
    # what was queued of the background sounds first: a tenth of a second at most
    assert 0.512 - AHEAD - 0.001 <= played.position <= 0.512
    bench.pass_time(1.0)
    finished = bench.playback.report()
    assert finished is not None
    assert finished.finished
    assert finished.position == pytest.approx(1.0)
    assert bench.playback.given == pytest.approx(1.0)
    sound = bench.room.sound
    voiced = sound > LOUD // 2
    assert voiced.sum() == RATE
    first = int(voiced.argmax())
    assert before <= first <= before + round(AHEAD * RATE)
    ducked = sound[first + RATE // 2] - LOUD
    assert ducked == pytest.approx(HUM * DUCKED, abs=2)
    assert sound[first - 1] == HUM
    assert sound[-1] == pytest.approx(HUM, abs=1)


async def test_who_interrupts_hears_the_background_go_on() -> None:
    """What was not heard is taken back to the sample; resumed, it goes on there."""
    bench = Bench()
    bench.pass_time(0.5)
    await says(bench, 2.0)
    bench.pass_time(0.8)
    position = bench.playback.report()
    assert position is not None
    bench.playback.pause()
    assert bench.backdrop.queued() == 0.0
    assert bench.room.queued() > 0.0  # the background, at once
    bench.pass_time(1.0)
    assert abs(int(bench.room.sound[-1]) - HUM) <= 1
    bench.playback.resume(position.position)
    bench.pass_time(2.0)
    assert (bench.room.sound > LOUD // 2).sum() == 2 * RATE
    assert bench.playback.given == pytest.approx(2.0)


async def test_words_lie_where_their_sound_does() -> None:
    """The offset counts the samples that the room was given, background and all."""
    bench = Bench()
    bench.pass_time(0.7)
    pushed = len(bench.room.sound)
    await says(bench, 0.5)
    (words,) = bench.room.told(WordsAhead)
    assert words.message(pushed).offset == pushed
    assert bench.room.sound[pushed] > LOUD // 2


def test_thinking_is_heard_while_an_answer_is_waited_for() -> None:
    """After a while only: most answers are there by then. It fades in, and out before the voice."""
    bench = Bench(background=False, thinking=True)
    bench.pass_time(0.5)
    assert len(bench.room.sound) == 0
    bench.backdrop.thinks(True)
    bench.pass_time(0.5)
    assert len(bench.room.sound) == 0
    bench.pass_time(1.0)
    assert bench.room.sound[-1] == 3 * HUM
    assert bench.room.sound[0] < HUM
    bench.backdrop.thinks(False)
    bench.pass_time(1.0)
    steady = len(bench.room.sound)
    assert bench.room.sound[-1] < HUM
    bench.pass_time(1.0)
    assert len(bench.room.sound) == steady


def test_on_hold_nothing_is_heard() -> None:
    """Nobody is there, so nothing is given; then it goes on."""
    bench = Bench()
    bench.pass_time(0.5)
    bench.backdrop.pump(heard=False)
    given = len(bench.room.sound)
    assert bench.room.queued() == 0.0
    for _ in range(30):
        bench.clock.time += 0.032
        bench.backdrop.pump(heard=False)
    assert len(bench.room.sound) == given
    bench.pass_time(0.5)
    assert len(bench.room.sound) > given


def test_what_comes_along_is_soft_and_has_no_edges() -> None:
    """Made by code, at any rate."""
    for rate in (8_000, 16_000, 24_000):
        sound = soft(rate)
        assert sound.dtype == np.int16
        assert len(sound) == round(2.4 * rate)
        assert abs(int(sound[0])) < 50
        assert abs(int(sound[-1])) < 50
        assert np.abs(np.diff(sound.astype(np.int32))).max() < 1.5 * 16_000 * 2 * np.pi * 500 / rate
    assert np.abs(read_loop(None, RATE, -24.0).sound).max() < 16_000 * 10 ** (-24 / 20) + 1


def test_a_file_that_went_is_told(tmp_path: Path) -> None:
    """In a sentence, for the log."""
    with pytest.raises(AudioFileError, match="cannot be read"):
        read_loop(tmp_path / "gone.wav", RATE, 0.0)


def test_a_queue_knows_what_of_it_is_a_voice() -> None:
    """A phone line's echo gate goes by the voice alone."""
    queue = PcmQueue()

    def piece(samples: int) -> Pcm:
        return np.ones(samples, np.int16)

    queue.push(piece(10), voice=False)
    queue.push(piece(10))
    queue.push(piece(10), voice=False)
    assert queue.voice == 10
    taken = []
    while queue.samples:
        queue.take(5)
        taken.append(queue.voiced)
    assert taken == [False, False, True, True, False, False]
    queue.take(5)
    assert not queue.voiced
    queue.push(piece(10), voice=False)
    queue.clear()
    queue.push(piece(4))
    queue.take(4)
    assert queue.voiced
