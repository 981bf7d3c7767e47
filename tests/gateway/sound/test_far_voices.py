"""Sound far under the caller's own voice is somebody else's; a soft voice is a voice. On real speech, through the real VAD."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import ops.bench
from gateway.sound.audio_file import read_speech
from gateway.sound.detector import FRAME
from gateway.sound.ring import Stream
from gateway.sound.vad import Vad
from schemas.audio import HEARING_RATE

Sound = NDArray[np.float64]

LINES = Path(ops.bench.__file__).parent / "lines"


def line(*names: str) -> Sound:
    """Lines of one speaker one after another, at −23 dBFS."""
    said = np.concatenate([read_speech(LINES / f"{name}.flac") for name in names]).astype(np.float64)
    return said * 2320 / loudness(said)


def loudness(said: Sound) -> float:
    """RMS of what is not silence."""
    return float(np.sqrt(np.mean(np.square(said[np.abs(said) > np.abs(said).max() / 100]))))


def softer(decibels: float, said: Sound) -> Sound:
    return said * 10 ** (-decibels / 20)


CALLER = line("00", "03", "06")
TELEVISION = np.tile(line("01", "04", "07", "10", "13"), 12)
NOTHING = np.zeros(HEARING_RATE)


@pytest.fixture(scope="module")
def vad() -> Vad:
    return Vad(1)


def spoken(vad: Vad, *parts: Sound, under: Sound | None = None) -> list[float]:
    """Of each part, the share of its time that counts as speech. `under`: sounds beneath it all."""
    mixed = np.concatenate(parts) + np.random.default_rng(1).normal(0, 3, sum(map(len, parts)))
    if under is not None:
        mixed += under[: len(mixed)]
    pcm = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
    speaks = np.zeros(len(pcm), bool)
    for begin, end in _speech(vad, pcm):
        speaks[begin:end] = True
    ends = np.cumsum([len(part) for part in parts])
    return [float(speaks[end - len(part) : end].mean()) for part, end in zip(parts, ends, strict=True)]


def _speech(vad: Vad, pcm: NDArray[np.int16]) -> Iterator[tuple[int, int]]:
    slot = vad.take_slot()
    stream, began = Stream("ann", slot, 0.096, 1.0, 0.0), None
    for frame in pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME):
        (probability,) = vad.run([slot], frame[None])
        for edge in stream.decide(probability, float(np.abs(frame).mean())):
            if edge.kind == "start":
                began = edge.position
            elif edge.kind == "stop" and began is not None:
                yield began, edge.position
                began = None
    vad.give_slot(slot)
    if began is not None:
        yield began, len(pcm)


@pytest.mark.models
def test_a_television_far_under_the_caller_neither_opens_nor_keeps_a_turn(vad: Vad) -> None:
    """However long it talks, before, under and after what the caller says; and the caller is heard over it as without it."""
    silence, later = np.tile(NOTHING, 3), np.tile(NOTHING, 30)
    alone = spoken(vad, CALLER, silence, CALLER, later)
    said, between, again, after = spoken(vad, CALLER, silence, CALLER, later, under=softer(32, TELEVISION))
    assert (said, again) == pytest.approx((alone[0], alone[2]), abs=0.06)
    assert between < 0.1  # the end of the last word
    assert after < 0.02


@pytest.mark.models
def test_who_speaks_less_far_under_the_caller_may_be_meant(vad: Vad) -> None:
    """A television at 26 dB counts for less than it talks; at 20 dB it may as well be a second person."""
    shares = {}
    for under in (26, 20):
        _, shares[under] = spoken(vad, CALLER, np.tile(NOTHING, 10), under=softer(under, TELEVISION))
    assert shares[26] < 0.2 < shares[20]


@pytest.mark.models
def test_a_soft_voice_on_a_good_line_is_heard(vad: Vad) -> None:
    """At −45 dBFS and below, where nobody spoke louder."""
    as_loud, *_ = spoken(vad, CALLER)
    for under in (22, 30):
        soft, _ = spoken(vad, softer(under, CALLER), NOTHING)
        assert soft > 0.85 * as_loud


@pytest.mark.models
@pytest.mark.parametrize("under", [15, 20])
def test_who_shouts_first_and_then_speaks_softly_is_heard(vad: Vad, under: int) -> None:
    """Or hands the phone to a quiet person."""
    loud = softer(-8, CALLER)
    before, _, then = spoken(vad, loud, NOTHING, softer(under, loud))
    assert then > 0.8 * before


@pytest.mark.models
def test_a_much_quieter_person_is_heard_in_time(vad: Vad) -> None:
    """Nothing that was once loud is remembered for ever."""
    _, _, then = spoken(vad, softer(-8, CALLER), np.tile(NOTHING, 70), softer(20, CALLER))
    assert then > 0.6


@pytest.mark.models
def test_a_bang_is_no_voice(vad: Vad) -> None:
    """Who speaks after the receiver was dropped is heard."""
    bang = np.zeros(HEARING_RATE)
    bang[4000:4800] = np.random.default_rng(2).normal(0, 15_000, 800)
    alone, *_ = spoken(vad, softer(15, CALLER))
    *_, then = spoken(vad, NOTHING, bang, softer(15, CALLER))
    assert then > 0.95 * alone


@pytest.mark.models
def test_a_television_that_speaks_first_gives_way_to_the_caller(vad: Vad) -> None:
    """Nobody can tell before the caller has spoken; from then on it is far."""
    first, _, after = spoken(vad, np.tile(NOTHING, 4), CALLER, np.tile(NOTHING, 8), under=softer(32, TELEVISION))
    assert first > 0.3
    assert after < 0.05
