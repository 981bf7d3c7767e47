"""A machine's tone is heard; speech, music, noise and the network's own tones are not it."""

import numpy as np
import pytest

from gateway.sound.tones import Tones
from gateway.turn_taking import Tone
from ops.demo.script import line
from schemas.audio import HEARING_RATE, Pcm

FRAME = 512


def heard(pcm: Pcm) -> list[Tone]:
    tones = Tones("ann")
    frames = (pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME + 1, FRAME))
    return [tone for frame in frames if (tone := tones.frame(frame)) is not None]


def tone(*frequencies: float, seconds: float = 0.4, level: float = 6000.0) -> Pcm:
    time = np.arange(round(seconds * HEARING_RATE)) / HEARING_RATE
    sound = sum(np.sin(2 * np.pi * frequency * time) for frequency in frequencies)
    return np.round(level * sound).astype(np.int16)


def between(pcm: Pcm, seconds: float = 0.5) -> Pcm:
    silence = np.zeros(round(seconds * HEARING_RATE), np.int16)
    return np.concatenate((silence, pcm, silence))


@pytest.mark.parametrize("frequency", [700.0, 1000.0, 1004.0, 1400.0, 2100.0])
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.5])
def test_a_tone_is_told_once_when_it_has_ended(frequency: float, seconds: float) -> None:
    """With its pitch and its length, within a frame or two."""
    (found,) = heard(between(tone(frequency, seconds=seconds)))
    assert found.frequency == pytest.approx(frequency, abs=8.0)
    assert found.duration == pytest.approx(seconds, abs=0.07)


def test_through_a_phone_line() -> None:
    """µ-law and a little noise leave it a tone."""
    from gateway.rooms.sip.codecs import FORMATS, codec

    line_codec = codec(FORMATS["pcmu"])
    time = np.arange(round(0.5 * 8000)) / 8000
    sent = np.round(5000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 60, len(sent))
    back = line_codec.decode(line_codec.encode((sent + noise).astype(np.int16)))
    (found,) = heard(between(np.repeat(back, 2).astype(np.int16)))
    assert found.frequency == pytest.approx(1000.0, abs=10.0)


@pytest.mark.parametrize(
    "pcm",
    [
        tone(440.0, 480.0, seconds=2.0), tone(350.0, 440.0, seconds=2.0), tone(425.0, seconds=1.0), tone(697.0, 1209.0),
        tone(941.0, 1477.0), tone(1000.0, seconds=0.08), tone(1000.0, seconds=5.0), tone(1000.0, level=40.0),
        np.random.default_rng(2).normal(0, 3000, 16_000).astype(np.int16), np.zeros(16_000, np.int16),
    ],
    ids=["ringing", "dial", "busy", "key 1", "key #", "a click", "for ever", "far away", "noise", "silence"],
)  # fmt: skip
def test_what_is_no_machine_s_tone(pcm: Pcm) -> None:
    """Two at once, too low, too short, too long, too faint, or none."""
    assert heard(between(pcm)) == []


def test_nobody_speaks_in_tones() -> None:
    """Not a single one in what people say."""
    for name in ("capital", "story", "pause", "stop", "yeah", "first"):
        assert heard(line(name)) == []


def test_it_stops_listening() -> None:
    """After two minutes nobody waits for a tone."""
    tones = Tones("ann")
    for _ in range(round(121 / 0.032)):
        tones.frame(np.zeros(FRAME, np.int16))
    assert tones.over
