"""The ear: the ring, silence where sound is missing, and Silero on real speech."""

import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from gateway.sound.audio_file import read_speech
from gateway.sound.detector import FRAME, Detector
from gateway.sound.ring import LOUD, STARVED, Stream
from gateway.sound.sample_rate import SPEECH
from gateway.sound.vad import Vad, model_path


def speech() -> np.ndarray:  # type: ignore[type-arg]
    found = importlib.util.find_spec("moonshine_voice")
    assert found is not None
    assert found.origin is not None
    return read_speech(Path(found.origin).parent / "assets" / "two_cities.wav")[: 16_000 * 6]


@pytest.fixture(scope="module")
def vad() -> Vad:
    return Vad(2)


def listen(vad: Vad, pcm: np.ndarray) -> list[float]:  # type: ignore[type-arg]
    slot = vad.take_slot()
    frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)
    found = [vad.run([slot], frame[None])[0] for frame in frames]
    vad.give_slot(slot)
    return found


@pytest.mark.models
def test_real_speech(vad: Vad) -> None:
    """A person is heard as speech for most of the time, silence and noise are not."""
    said = listen(vad, speech())
    assert sum(p > 0.5 for p in said) / len(said) > 0.6
    noise = np.random.default_rng(1).normal(0, 300, 32_000).astype(np.int16)
    assert max(listen(vad, noise)) < 0.5
    assert max(listen(vad, np.zeros(32_000, np.int16))) < 0.3


@pytest.mark.models
def test_batch_is_alone(vad: Vad) -> None:
    """In a batch, in any company and any order, each participant is heard as if alone."""
    first = speech()[: FRAME * 60]
    others = [np.random.default_rng(n).normal(0, 2000, FRAME * 60).astype(np.int16) for n in range(4)]
    alone = listen(vad, first)
    slots = [vad.take_slot() for _ in range(5)]
    found = []
    for number in range(60):
        order = list(range(5)) if number % 2 else [3, 0, 4, 1, 2]
        rows = np.stack([[first, *others][who][number * FRAME : (number + 1) * FRAME] for who in order])
        found.append(vad.run([slots[who] for who in order], rows)[order.index(0)])
    assert found == pytest.approx(alone, abs=1e-3)


@pytest.mark.models
def test_slot_is_clean(vad: Vad) -> None:
    """A slot given back remembers nothing of who had it."""
    once = listen(vad, speech()[:16_000])
    assert listen(vad, speech()[:16_000]) == pytest.approx(once, abs=1e-6)


@pytest.mark.models
def test_edges_of_real_speech(vad: Vad) -> None:
    """Speech between two silences gives one start and, at its end, one last stop, each within 150 ms of the truth."""
    said = speech()
    loud = np.abs(said.astype(np.int32)) > 2_500
    begin, end = int(loud.argmax()), len(said) - int(loud[::-1].argmax())
    pcm = np.concatenate((np.zeros(16_000, np.int16), said[begin:end], np.zeros(16_000, np.int16)))
    detector = Detector("ann", 0.096)
    edges = [edge for probability in listen(vad, pcm) for edge in detector.frame(probability)]
    kinds = [edge.kind for edge in edges if edge.kind in ("start", "stop")]
    assert kinds[0] == "start"
    assert kinds[-1] == "stop"
    first = next(edge for edge in edges if edge.kind == "start")
    last = [edge for edge in edges if edge.kind == "stop"][-1]
    assert abs(first.position - 16_000) < 2_400
    assert abs(last.position - (16_000 + end - begin)) < 2_400


def test_ring() -> None:
    """What is cut from the ring is what was said, also where it wrapped around; what has been overwritten is left out."""
    stream = Stream("ann", 0, 0.096, 1.0, now=0.0)
    pcm = np.arange(50_000).astype(np.int16)
    for at in range(0, 50_000, 700):
        stream.append(pcm[at : at + 700], 0.0)
    assert (stream.cut(40_000, 49_000) == pcm[40_000:49_000]).all()
    assert (stream.cut(0, 10**9) == pcm[-16_384:]).all()  # the ring is whole frames
    assert len(stream.cut(49_999, 50_500)) == 1
    assert len(stream.cut(100, 200)) == 0
    assert len(stream.cut(49_000, 48_000)) == 0


def test_fills_silence() -> None:
    """Where sound stops coming silence takes its place, in real time, and sound that comes again is taken as it is."""
    stream = Stream("ann", 0, 0.096, 2.0, now=0.0)
    stream.append(np.full(1600, 7, np.int16), 0.1)
    stream.fill(0.1 + STARVED * 0.9)
    assert stream.head == 1600
    for tick in range(1, 31):
        stream.fill(0.1 + tick * 0.032)
    assert stream.head == pytest.approx(1600 + 30 * FRAME, abs=FRAME)
    assert (stream.head - 1600) % FRAME == 0  # whole frames: what comes in frames stays in step with the VAD's
    head = stream.head
    stream.append(np.full(320, 9, np.int16), 1.2)
    stream.fill(1.25)
    assert (stream.cut(head, head + 320) == 9).all()
    assert stream.head == head + 320


@pytest.mark.models
def test_answers_as_packaged(vad: Vad) -> None:
    """The network made for batches gives the probabilities of the packaged one, frame by frame."""
    packaged = onnxruntime.InferenceSession(str(model_path()), providers=["CPUExecutionProvider"])
    context, state = np.zeros((1, 64), np.float32), np.zeros((2, 1, 128), np.float32)
    expected = []
    pcm = speech()
    for frame in pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME):
        samples = np.concatenate((context, frame[None].astype(np.float32) / 32768), axis=1)
        feed = {"input": samples, "state": state, "sr": np.array(16_000, np.int64)}
        probability, state = packaged.run(None, feed)
        expected.append(float(probability.item()))
        context = samples[:, -64:]
    assert listen(vad, pcm) == pytest.approx(expected, abs=1e-4)


@pytest.mark.models
@pytest.mark.parametrize("times", [2, 3])
def test_speech_at_another_rate_is_none(vad: Vad, times: int) -> None:
    """Taken for 16 kHz, 48 kHz is too slow to be speech, and 32 kHz mostly: what comes early is told from what is wrong."""
    said = speech().astype(np.float64)
    slow = np.interp(np.arange(len(said) * times) / times, np.arange(len(said)), said).astype(np.int16)
    for pcm, speaks in ((said.astype(np.int16), True), (slow, False)):
        loud = np.abs(pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1) >= LOUD
        spoken = np.array(listen(vad, pcm))[loud] >= 0.5
        assert bool(spoken.mean() > SPEECH[16_000 * times]) is speaks
